import type { AdapterRef } from '@aril/contracts';
import { ObjectNotFoundError, type ObjectStore } from '@aril/object-store';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

type AdapterFile = AdapterRef['files'][number];

/** `permanent`: trying again cannot help, the object is gone. */
export class AdapterFetchError extends Error {
  constructor(
    message: string,
    readonly permanent: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'AdapterFetchError';
  }
}

/** Copies one file of an adapter from the object store to `folder`, and checks size and SHA-256 on the way. */
export async function downloadFile(store: ObjectStore, file: AdapterFile, folder: string, signal: AbortSignal): Promise<void> {
  const check = new Verification(file);
  const target = createWriteStream(path.join(folder, file.name), { flags: 'wx', flush: true });
  try {
    await pipeline(await store.get(file.key), check, target, { signal });
  } catch (error) {
    target.destroy();
    if (error instanceof ObjectNotFoundError) {
      throw new AdapterFetchError(`${file.name} is not in the object store any more`, true, { cause: error });
    }
    throw error;
  }
}

/** Whether the file in the cache is still what was put there; a disk can rot, a power cut can leave zeros. */
export async function isIntact(file: AdapterFile, folder: string): Promise<boolean> {
  const at = path.join(folder, file.name);
  const info = await stat(at).catch(() => null);
  if (info?.size !== file.bytes) return false;
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(at, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch {
    return false;
  }
  return hash.digest('hex') === file.sha256;
}

class Verification extends Transform {
  #hash = createHash('sha256');
  #bytes = 0;

  constructor(private readonly file: AdapterFile) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null, chunk?: Buffer) => void): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
    if (this.#bytes > this.file.bytes) done(this.#mismatch(`more than ${this.file.bytes} bytes`));
    else done(null, chunk);
  }

  override _flush(done: (error?: Error | null) => void): void {
    if (this.#bytes !== this.file.bytes) return done(this.#mismatch(`${this.#bytes} bytes`));
    const found = this.#hash.digest('hex');
    done(found === this.file.sha256 ? null : this.#mismatch(`SHA-256 ${found}`));
  }

  /** Not permanent: a transfer cut short looks the same as a damaged object. */
  #mismatch(found: string): AdapterFetchError {
    const expected = `${this.file.bytes} bytes with SHA-256 ${this.file.sha256}`;
    return new AdapterFetchError(`${this.file.name}: found ${found}, expected ${expected}`, false);
  }
}
