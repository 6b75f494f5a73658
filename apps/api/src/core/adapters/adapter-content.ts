/** An adapter's identity is its content: everything downstream of the API knows it by this hash only. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** The two files of a PEFT adapter, in the order in which they are hashed. */
export const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;
export type AdapterFileName = (typeof ADAPTER_FILES)[number];

export type FileHashes = Record<AdapterFileName, string>;

/**
 * SHA-256 over the lines `<file name>:<SHA-256 of the file>`, so equal files give an equal hash whoever uploads
 * them and whatever the adapter is called.
 */
export function adapterSha256(files: FileHashes): string {
  const hash = createHash('sha256');
  for (const name of ADAPTER_FILES) hash.update(`${name}:${files[name]}\n`);
  return hash.digest('hex');
}

/** Hashes while reading: weights do not have to fit in memory. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** What git, and with it a hub, calls a file by: SHA-1 over a header and the content. */
export async function gitBlobSha1(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha1').update(`blob ${bytes}\0`);
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Where an adapter's files are in the object store: under the tenant, so that no tenant's delete can touch another's. */
export const objectKey = (tenantId: string, sha256: string, name: AdapterFileName): string =>
  `adapters/${tenantId}/${sha256}/${name}`;
