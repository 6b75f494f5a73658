import { mkdtemp, readdir, rm, symlink, writeFile, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FolderStore, openObjectStore } from '../src/index.js';
import { objectStoreContract } from './object-store.contract.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'object-store-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('folder store', () => {
  objectStoreContract(() => openObjectStore({ folder }));

  it('leaves nothing behind when a put fails', async () => {
    const store = new FolderStore(path.join(folder, 'leftovers'));
    const broken = Readable.from((function* () {
      yield Buffer.from('some');
      throw new Error('broke');
    })());
    await expect(store.put('a/b', broken)).rejects.toThrow('broke');
    expect(await readdir(path.join(folder, 'leftovers', 'partial'))).toEqual([]);
    expect(await readdir(path.join(folder, 'leftovers', 'objects'))).toEqual([]);
  });

  it('drops folders that a delete left empty, but never its own root', async () => {
    const store = new FolderStore(path.join(folder, 'empty'));
    await store.put('a/b/c', Buffer.from('x'));
    await store.delete('a/b/c');
    expect(await readdir(path.join(folder, 'empty', 'objects'))).toEqual([]);
    expect(await readdir(path.join(folder, 'empty', 'hashes'))).toEqual([]);
    await store.put('a/b/c', Buffer.from('y'));
    expect(await store.head('a/b/c')).not.toBeNull();
  });

  it('sweeps partial files of writers that died long ago, and leaves fresh ones', async () => {
    const root = path.join(folder, 'sweep');
    await new FolderStore(root).put('a', Buffer.from('x'));
    const old = path.join(root, 'partial', 'old');
    await writeFile(old, 'x');
    await utimes(old, new Date(0), new Date(0));
    await writeFile(path.join(root, 'partial', 'fresh'), 'x');
    await new FolderStore(root).put('b', Buffer.from('x'));
    expect(await readdir(path.join(root, 'partial'))).toEqual(['fresh']);
  });

  it('puts and deletes beside each other in one folder without a lost put', async () => {
    const store = new FolderStore(path.join(folder, 'beside'));
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        await store.put(`dir/${index}`, Buffer.from('x'));
        await store.delete(`dir/${index}`);
        await store.put(`dir/${index}`, Buffer.from('y'));
      }),
    );
    expect(await store.deletePrefix('dir/')).toBe(40);
  });

  it('answers a folder in the place of an object as not found', async () => {
    const store = new FolderStore(path.join(folder, 'is-folder'));
    await store.put('a/b', Buffer.from('x'));
    expect(await store.head('a')).toBeNull();
    await expect(store.get('a')).rejects.toThrow('not found');
    await symlink('/nonexistent', path.join(folder, 'is-folder', 'objects', 'dangling'));
    expect(await store.head('dangling')).toBeNull();
  });
});
