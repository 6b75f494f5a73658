import type { Readable } from 'node:stream';

/** What is known of a stored object. `sha256` is null where the store keeps none (objects put by other programs). */
export interface ObjectInfo {
  key: string;
  bytes: number;
  sha256: string | null;
}

export interface PutOptions {
  /** Lower-case hex. The put fails, and nothing is stored under the key, when the content hashes otherwise. */
  sha256?: string;
}

/** Of an object that has them: from `start` on, up to `end` and not with it. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Immutable objects under slash-separated keys. A put is all or nothing: readers see the whole object or none,
 * also when the process dies in the middle. Putting a key again replaces the object whole.
 */
export interface ObjectStore {
  put(key: string, body: Readable | Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  /** Rejects with `ObjectNotFoundError` before any byte is read. The caller must consume or destroy the stream. */
  get(key: string, range?: ByteRange): Promise<Readable>;
  /** null when there is no such object. */
  head(key: string): Promise<ObjectInfo | null>;
  /** Deleting what is not there succeeds. */
  delete(key: string): Promise<void>;
  /** Deletes every object whose key starts with `prefix`, which must end with a slash; returns how many. */
  deletePrefix(prefix: string): Promise<number>;
  /** Frees sockets. The store must not be used afterwards. */
  close(): void;
}

export class ObjectNotFoundError extends Error {
  constructor(
    readonly key: string,
    options?: ErrorOptions,
  ) {
    super(`object ${key}: not found in the object store`, options);
    this.name = 'ObjectNotFoundError';
  }
}

export class ObjectIntegrityError extends Error {
  constructor(
    readonly key: string,
    readonly found: string,
    readonly expected: string,
  ) {
    super(`object ${key}: found SHA-256 ${found}, expected ${expected}`);
    this.name = 'ObjectIntegrityError';
  }
}

export class ObjectKeyError extends Error {
  constructor(key: string, problem: string) {
    super(`object key ${JSON.stringify(key)}: ${problem}`);
    this.name = 'ObjectKeyError';
  }
}
