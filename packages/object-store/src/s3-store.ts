import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Readable } from 'node:stream';
import { HashingPassThrough, toReadable } from './hashing.js';
import { checkKey, checkPrefix } from './object-key.js';
import { type ByteRange, ObjectNotFoundError, type ObjectInfo, type ObjectStore, type PutOptions } from './object-store.js';

export interface S3StoreOptions {
  bucket: string;
  region: string;
  /** Absent = AWS itself. */
  endpoint?: string;
  /** Absent = the SDK's own chain (environment, instance role, web identity …). */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** Buckets in the path, not the host name: what most S3-compatible servers expect. */
  forcePathStyle?: boolean;
  /** After how long a store that says nothing, or a reader that takes nothing, is given up; milliseconds. */
  silenceMsMax?: number;
}

const CONNECT_MS_MAX = 5_000;
const SILENCE_MS_MAX = 30_000;

/** The hash travels as user metadata; S3's own checksums differ between one-part and multipart uploads. */
const SHA256_METADATA = 'sha256';

/** Objects in one bucket of an S3-compatible store. */
export class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(options: S3StoreOptions) {
    this.#bucket = options.bucket;
    this.#client = new S3Client({
      region: options.region,
      endpoint: options.endpoint,
      credentials: options.credentials,
      forcePathStyle: options.forcePathStyle,
      maxAttempts: 4,
      // The SDK itself waits for ever.
      requestHandler: { connectionTimeout: CONNECT_MS_MAX, socketTimeout: options.silenceMsMax ?? SILENCE_MS_MAX },
      // Newer SDKs add trailing checksums that several S3-compatible servers refuse. We verify SHA-256 ourselves.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  async put(key: string, body: Readable | Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key);
    const source = toReadable(body);
    const hashing = new HashingPassThrough(key, options.sha256);
    // `pipe` does not forward errors: without this a broken source would leave the upload waiting for ever.
    source.once('error', (error) => hashing.destroy(error));
    const upload = new Upload({
      client: this.#client,
      params: {
        Bucket: this.#bucket,
        Key: key,
        Body: source.pipe(hashing),
        ...(options.sha256 === undefined ? {} : { Metadata: { [SHA256_METADATA]: options.sha256 } }),
      },
      // Two parts of 8 MiB in flight bound the memory of one upload to 16 MiB.
      partSize: 8 << 20,
      queueSize: 2,
      leavePartsOnError: false,
    });
    try {
      await upload.done();
    } catch (error) {
      source.destroy();
      throw error;
    }
    return { key, bytes: hashing.bytes, sha256: hashing.sha256 };
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    checkKey(key);
    try {
      const part = range && { Range: `bytes=${range.start}-${range.end - 1}` };
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key, ...part }));
      if (Body instanceof Readable) return Body;
    } catch (error) {
      throw isNotFound(error) ? new ObjectNotFoundError(key, { cause: error }) : error;
    }
    throw new Error(`object ${key}: found a response without a body, expected a byte stream`);
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key);
    try {
      const found = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }));
      return { key, bytes: found.ContentLength ?? 0, sha256: found.Metadata?.[SHA256_METADATA] ?? null };
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }));
  }

  async deletePrefix(prefix: string): Promise<number> {
    checkPrefix(prefix);
    let deleted = 0;
    // Each page is deleted before the next is listed from the start, so no continuation token can go stale.
    for (;;) {
      const page = await this.#client.send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix }));
      const objects = (page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]));
      if (objects.length === 0) return deleted;
      await this.#deleteAll(objects);
      deleted += objects.length;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #deleteAll(objects: { Key: string }[]): Promise<void> {
    const result = await this.#client.send(
      new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects: objects, Quiet: true } }),
    );
    const failed = result.Errors?.[0];
    if (failed) throw new Error(`object ${failed.Key ?? '?'}: not deleted, the store said ${failed.Code ?? '?'}: ${failed.Message ?? ''}`);
  }
}

/** GET answers `NoSuchKey`, HEAD has no body and answers `NotFound`; some servers say only 404. */
function isNotFound(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'NoSuchBucket') return false;
  if (error.name === 'NoSuchKey' || error.name === 'NotFound') return true;
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata;
  return metadata?.httpStatusCode === 404;
}
