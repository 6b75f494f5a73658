import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectNotFoundError, openObjectStore, S3Store } from '../src/index.js';
import { objectStoreContract } from './object-store.contract.js';
import { S3Server } from './s3-server.js';

const real = process.env['OBJECT_STORE_TEST_S3_ENDPOINT'];
const server = new S3Server();
const credentials = { accessKeyId: 'test', secretAccessKey: 'test-secret' };
let endpoint: string;

beforeAll(async () => {
  endpoint = real ?? (await server.listen());
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: 'adapters' }));
  client.destroy();
});
afterAll(async () => {
  if (!real) await server.close();
});

const open = () =>
  openObjectStore({ s3: { bucket: 'adapters', region: 'us-east-1', endpoint, credentials, forcePathStyle: true } });

describe('S3 store', () => {
  objectStoreContract(open);
});

describe.skipIf(real !== undefined)('S3 store, faults', () => {
  it('abandons the parts of a failed upload', async () => {
    const source = Readable.from((function* () {
      yield randomBytes(9 << 20);
      throw new Error('source broke');
    })());
    await expect(open().put('t/abandoned', source)).rejects.toThrow('source broke');
    expect(server.uploads.size).toBe(0);
  });

  it('gets through a store that is busy for a moment', async () => {
    const store = open();
    await store.put('t/busy', Buffer.from('x'));
    server.failuresLeft = 2;
    expect((await buffer(await store.get('t/busy'))).toString()).toBe('x');
  });

  it('gives a store up that says nothing any more', async () => {
    const store = new S3Store({ bucket: 'adapters', region: 'us-east-1', endpoint, credentials, forcePathStyle: true, silenceMsMax: 200 });
    await store.put('t/silent', Buffer.from('silent'));
    server.silent = true;
    try {
      for (const ask of [() => store.head('t/silent'), () => store.put('t/silent', Buffer.from('x')), async () => buffer(await store.get('t/silent'))]) {
        await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' });
      }
    } finally {
      server.silent = false;
    }
    expect((await buffer(await store.get('t/silent'))).toString()).toBe('silent');
    store.close();
  });

  it('reports an unreachable store as that, not as a missing object', async () => {
    const store = new S3Store({ bucket: 'b', region: 'us-east-1', endpoint: 'http://127.0.0.1:9', credentials, forcePathStyle: true });
    const failure: unknown = await store.get('a').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(ObjectNotFoundError);
    store.close();
  });
});
