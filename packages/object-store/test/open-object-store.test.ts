import { describe, expect, it } from 'vitest';
import { objectStoreConfig, openObjectStore } from '../src/index.js';

describe('objectStoreConfig', () => {
  it('takes the folder when there is no bucket', () => {
    expect(objectStoreConfig({ OBJECTS_DIR: '/o', S3_REGION: 'x' })).toEqual({ folder: '/o' });
  });

  it('prefers the bucket, with path style for own endpoints', () => {
    const { s3 } = objectStoreConfig({ OBJECTS_DIR: '/o', S3_BUCKET: 'b', S3_ENDPOINT: 'http://s3' });
    expect(s3).toMatchObject({ bucket: 'b', region: 'us-east-1', endpoint: 'http://s3', forcePathStyle: true });
    expect(s3?.credentials).toBeUndefined();
    expect(objectStoreConfig({ S3_BUCKET: 'b' }).s3?.forcePathStyle).toBe(false);
  });

  it('refuses half of a key pair and an empty configuration', () => {
    expect(() => objectStoreConfig({ S3_BUCKET: 'b', S3_ACCESS_KEY_ID: 'a' })).toThrow('S3_SECRET_ACCESS_KEY');
    expect(() => openObjectStore(objectStoreConfig({}))).toThrow('OBJECTS_DIR');
  });
});
