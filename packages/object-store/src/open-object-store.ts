import { FolderStore } from './folder-store.js';
import type { ObjectStore } from './object-store.js';
import { S3Store, type S3StoreOptions } from './s3-store.js';

/** Exactly one of the two. */
export interface ObjectStoreConfig {
  folder?: string;
  s3?: S3StoreOptions;
}

/** The variables every app reads the same way; an app's zod schema validates them, this only maps them. */
export interface ObjectStoreVariables {
  OBJECTS_DIR?: string;
  S3_ENDPOINT?: string;
  S3_REGION?: string;
  S3_BUCKET?: string;
  S3_ACCESS_KEY_ID?: string;
  S3_SECRET_ACCESS_KEY?: string;
  S3_FORCE_PATH_STYLE?: boolean;
}

/** A bucket wins over a folder, because OBJECTS_DIR has a default in local starts and S3_BUCKET never has. */
export function objectStoreConfig(variables: ObjectStoreVariables): ObjectStoreConfig {
  if (!variables.S3_BUCKET) return { folder: variables.OBJECTS_DIR };
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = variables;
  if (Boolean(accessKeyId) !== Boolean(secretAccessKey)) {
    throw new Error('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: found one of them, expected both or neither');
  }
  return {
    s3: {
      bucket: variables.S3_BUCKET,
      region: variables.S3_REGION || 'us-east-1',
      endpoint: variables.S3_ENDPOINT || undefined,
      credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
      forcePathStyle: variables.S3_FORCE_PATH_STYLE ?? Boolean(variables.S3_ENDPOINT),
    },
  };
}

export function openObjectStore(config: ObjectStoreConfig): ObjectStore {
  if (config.s3) return new S3Store(config.s3);
  if (config.folder) return new FolderStore(config.folder);
  throw new Error('object store: found neither OBJECTS_DIR nor S3_BUCKET, expected one of them');
}
