import { createHash } from 'node:crypto';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { ObjectIntegrityError } from './object-store.js';

/**
 * Passes bytes through, counts and hashes them, and fails at the end if the hash is not the expected one.
 * Failing in `flush`, before the stream ends, is what lets an upload be abandoned instead of completed.
 */
export class HashingPassThrough extends Transform {
  #hash = createHash('sha256');
  bytes = 0;
  /** Known once the stream has ended. */
  sha256 = '';

  constructor(
    private readonly key: string,
    private readonly expected?: string,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.sha256 = this.#hash.digest('hex');
    if (this.expected !== undefined && this.sha256 !== this.expected) {
      done(new ObjectIntegrityError(this.key, this.sha256, this.expected));
    } else {
      done();
    }
  }
}

/** `Readable.from(bytes)` would make one object of it; this makes a byte stream in chunks of a sane size. */
export function toReadable(body: Readable | Uint8Array): Readable {
  if (body instanceof Readable) return body;
  const chunkBytes = 1 << 20;
  function* chunks(bytes: Uint8Array): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const end = Math.min(at + chunkBytes, bytes.length);
      yield Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
    }
  }
  return Readable.from(chunks(body), { objectMode: false });
}
