/** Immutable objects (adapter files) in a folder or an S3-compatible bucket, behind one interface. */
export * from './object-store.js';
export { isDiskFull } from './disk-full.js';
export { FolderStore } from './folder-store.js';
export { S3Store, type S3StoreOptions } from './s3-store.js';
export * from './open-object-store.js';
