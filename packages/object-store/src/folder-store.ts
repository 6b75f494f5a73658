import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HashingPassThrough, toReadable } from './hashing.js';
import { checkKey, checkPrefix } from './object-key.js';
import { type ByteRange, ObjectNotFoundError, type ObjectInfo, type ObjectStore, type PutOptions } from './object-store.js';

/**
 * Objects as files below one folder:
 *   objects/<key>          the content
 *   hashes/<key>.sha256    its hash, so that `head` answers as S3's metadata does
 *   partial/<random>       what is being written; swept when it is a day old (its writer died)
 * Content is written aside, fsynced and renamed, so an object is there whole or not at all, power cuts included.
 */
export class FolderStore implements ObjectStore {
  readonly #objects: string;
  readonly #hashes: string;
  readonly #partial: string;
  #ready: Promise<void> | undefined;

  constructor(folder: string) {
    const root = path.resolve(folder);
    this.#objects = path.join(root, 'objects');
    this.#hashes = path.join(root, 'hashes');
    this.#partial = path.join(root, 'partial');
  }

  async put(key: string, body: Readable | Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    await this.#prepare();
    const target = this.#pathOf(key);
    const partial = path.join(this.#partial, randomBytes(12).toString('hex'));
    const hashing = new HashingPassThrough(key, options.sha256);
    try {
      await pipeline(toReadable(body), hashing, createWriteStream(partial, { flags: 'wx', mode: 0o640, flush: true }));
      await this.#publish(key, target, partial, hashing.sha256);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    return { key, bytes: hashing.bytes, sha256: hashing.sha256 };
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    checkKey(key);
    const file = await open(this.#pathOf(key), 'r').catch((error: unknown) => {
      throw notFoundOr(key, error);
    });
    const info = await file.stat();
    if (!info.isFile()) {
      await file.close();
      throw new ObjectNotFoundError(key);
    }
    const part = range && { start: range.start, end: range.end - 1 };
    return createReadStream('', { ...part, fd: file, autoClose: true, highWaterMark: 1 << 18 });
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key);
    const info = await stat(this.#pathOf(key)).catch(nullIfAbsent);
    if (!info?.isFile()) return null;
    const sha256 = await readFile(this.#hashPathOf(key), 'utf8').catch(nullIfAbsent);
    return { key, bytes: info.size, sha256 };
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await rm(this.#pathOf(key), { force: true }).catch(nullIfAbsent);
    await rm(this.#hashPathOf(key), { force: true }).catch(nullIfAbsent);
    await this.#dropEmptyFolders(path.dirname(this.#pathOf(key)), this.#objects);
    await this.#dropEmptyFolders(path.dirname(this.#hashPathOf(key)), this.#hashes);
  }

  async deletePrefix(prefix: string): Promise<number> {
    checkPrefix(prefix);
    const folder = this.#pathOf(prefix.slice(0, -1));
    const entries = (await readdir(folder, { recursive: true, withFileTypes: true }).catch(nullIfAbsent)) ?? [];
    await rm(folder, { recursive: true, force: true });
    await rm(path.join(this.#hashes, prefix.slice(0, -1)), { recursive: true, force: true });
    return entries.filter((entry) => entry.isFile()).length;
  }

  close(): void {
    // A folder holds no sockets.
  }

  /** The hash goes first: an object without one is possible only for a file somebody else put there. */
  async #publish(key: string, target: string, partial: string, sha256: string): Promise<void> {
    const hashPath = this.#hashPathOf(key);
    const hashPartial = `${partial}.sha256`;
    await writeFile(hashPartial, sha256, { flag: 'wx', flush: true });
    await renameInto(hashPartial, hashPath);
    await renameInto(partial, target);
    await syncFolder(path.dirname(target));
  }

  #prepare(): Promise<void> {
    this.#ready ??= this.#createFolders().catch((error: unknown) => {
      // A full or read-only disk may be put right while we run: try again on the next put.
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #createFolders(): Promise<void> {
    for (const folder of [this.#objects, this.#hashes, this.#partial]) await mkdir(folder, { recursive: true });
    const dayAgo = Date.now() - 24 * 3600 * 1000;
    for (const name of await readdir(this.#partial)) {
      const file = path.join(this.#partial, name);
      const info = await stat(file).catch(nullIfAbsent);
      if (info && info.mtimeMs < dayAgo) await rm(file, { force: true });
    }
  }

  async #dropEmptyFolders(folder: string, root: string): Promise<void> {
    for (let at = folder; at.startsWith(root + path.sep); at = path.dirname(at)) {
      const dropped = await rmdir(at).then(() => true, () => false);
      if (!dropped) return;
    }
  }

  #pathOf(key: string): string {
    return path.join(this.#objects, key);
  }

  #hashPathOf(key: string): string {
    return path.join(this.#hashes, `${key}.sha256`);
  }
}

/** A delete may drop the folder, empty at that moment, between our two calls or within the first: then it is made again. */
async function renameInto(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(path.dirname(to), { recursive: true });
      return await rename(from, to);
    } catch (error) {
      if (!isAbsent(error) || attempt === 5) throw error;
    }
  }
}

/** Without this the rename itself could be lost in a power cut although the file's content was fsynced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

function nullIfAbsent(error: unknown): null {
  if (isAbsent(error)) return null;
  throw error;
}

const notFoundOr = (key: string, error: unknown): unknown =>
  isAbsent(error) ? new ObjectNotFoundError(key, { cause: error }) : error;
