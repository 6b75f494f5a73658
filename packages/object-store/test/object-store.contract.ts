import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { ObjectIntegrityError, ObjectKeyError, ObjectNotFoundError, type ObjectStore } from '../src/index.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const wrongHash = 'f'.repeat(64);

/** What every store must do; run once per store. */
export function objectStoreContract(open: () => ObjectStore): void {
  it('returns what was put, from bytes and from a stream', async () => {
    const store = open();
    const bytes = randomBytes(300_000);
    const info = await store.put('t/a/one.bin', bytes);
    expect(info).toEqual({ key: 't/a/one.bin', bytes: bytes.length, sha256: sha256(bytes) });
    expect((await buffer(await store.get('t/a/one.bin'))).equals(bytes)).toBe(true);
    await store.put('t/a/two.bin', Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]));
    expect((await buffer(await store.get('t/a/two.bin'))).equals(bytes)).toBe(true);
  });

  it('keeps an object larger than one upload part intact', async () => {
    const store = open();
    const bytes = randomBytes((20 << 20) + 13);
    await store.put('t/large.bin', Readable.from([bytes.subarray(0, 9 << 20), bytes.subarray(9 << 20)]), { sha256: sha256(bytes) });
    const back = await buffer(await store.get('t/large.bin'));
    expect(sha256(back)).toBe(sha256(bytes));
  });

  it('returns a part of an object', async () => {
    const store = open();
    await store.put('t/part', Buffer.from('0123456789'));
    const part = async (start: number, end: number): Promise<string> => (await buffer(await store.get('t/part', { start, end }))).toString();
    expect([await part(0, 4), await part(4, 5), await part(8, 10)]).toEqual(['0123', '4', '89']);
    await expect(store.get('t/nowhere', { start: 0, end: 1 })).rejects.toThrow(ObjectNotFoundError);
  });

  it('stores an empty object', async () => {
    const store = open();
    await store.put('t/empty', new Uint8Array(0));
    expect((await buffer(await store.get('t/empty'))).length).toBe(0);
    expect((await store.head('t/empty'))?.bytes).toBe(0);
  });

  it('answers head with size and hash, and null for what is not there', async () => {
    const store = open();
    const bytes = Buffer.from('hello');
    await store.put('t/h', bytes, { sha256: sha256(bytes) });
    expect(await store.head('t/h')).toEqual({ key: 't/h', bytes: 5, sha256: sha256(bytes) });
    expect(await store.head('t/none')).toBeNull();
  });

  it('stores nothing when the content hashes differently', async () => {
    const store = open();
    await expect(store.put('t/bad', Buffer.from('x'), { sha256: wrongHash })).rejects.toThrow(ObjectIntegrityError);
    expect(await store.head('t/bad')).toBeNull();
    const large = Readable.from([randomBytes(9 << 20), randomBytes(9 << 20)]);
    await expect(store.put('t/bad-large', large, { sha256: wrongHash })).rejects.toThrow(ObjectIntegrityError);
    expect(await store.head('t/bad-large')).toBeNull();
  });

  it('keeps the old object when a replacing put fails', async () => {
    const store = open();
    await store.put('t/keep', Buffer.from('old'));
    const broken = new Readable({ read() { this.destroy(new Error('source broke')); } });
    await expect(store.put('t/keep', broken)).rejects.toThrow('source broke');
    expect((await buffer(await store.get('t/keep'))).toString()).toBe('old');
    await store.put('t/keep', Buffer.from('new'));
    expect((await buffer(await store.get('t/keep'))).toString()).toBe('new');
  });

  it('rejects get of an unknown key before any byte', async () => {
    await expect(open().get('t/nowhere')).rejects.toThrow(ObjectNotFoundError);
  });

  it('deletes one object or a prefix, and only that', async () => {
    const store = open();
    for (const key of ['p/a/1', 'p/a/2/3', 'p/ab/1']) await store.put(key, Buffer.from(key));
    expect(await store.deletePrefix('p/a/')).toBe(2);
    expect(await store.head('p/a/1')).toBeNull();
    expect(await store.head('p/ab/1')).not.toBeNull();
    await store.delete('p/ab/1');
    await store.delete('p/ab/1');
    expect(await store.head('p/ab/1')).toBeNull();
    expect(await store.deletePrefix('p/a/')).toBe(0);
  });

  it.each(['', '/abs', 'a/../b', '..', 'a//b', 'a/', './a', 'a\\b', 'a\0b', 'a b', 'x'.repeat(300), 'é'])(
    'refuses the key %j everywhere',
    async (key) => {
      const store = open();
      await expect(store.put(key, Buffer.from('x'))).rejects.toThrow(ObjectKeyError);
      await expect(store.get(key)).rejects.toThrow(ObjectKeyError);
      await expect(store.head(key)).rejects.toThrow(ObjectKeyError);
      await expect(store.delete(key)).rejects.toThrow(ObjectKeyError);
    },
  );

  it('refuses a prefix without a closing slash', async () => {
    await expect(open().deletePrefix('p')).rejects.toThrow(ObjectKeyError);
    await expect(open().deletePrefix('/')).rejects.toThrow(ObjectKeyError);
    await expect(open().deletePrefix('../x/')).rejects.toThrow(ObjectKeyError);
  });

  it('serves concurrent puts of one key with one whole object', async () => {
    const store = open();
    const bodies = [1, 2, 3, 4].map((fill) => Buffer.alloc(200_000, fill));
    await Promise.all(bodies.map((body) => store.put('t/race', body)));
    const back = await buffer(await store.get('t/race'));
    expect(bodies.some((body) => body.equals(back))).toBe(true);
  });
}
