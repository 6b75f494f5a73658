/**
 * Brings one file of a hub to where uploads wait. What came before is kept and gone on from. Every byte is written at its
 * own place and all come from one commit, so that two processes which take each other for dead write the same.
 */
import { createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { unreachable } from '../../../integrations/hub/hub-error.js';
import type { HubFile, HubRepository } from '../../../integrations/hub/hub.service.js';
import { fileSha256, gitBlobSha1 } from '../adapter-content.js';

/** @throws HubError when it breaks off, or is not what the hub said it would be; then it begins anew next time. */
export async function fetchFile(hub: HubRepository, file: HubFile, path: string, signal: AbortSignal): Promise<void> {
  await (await open(path, 'a')).close();
  const { size } = await stat(path);
  if (size < file.bytes) await fetchRest(hub, file, path, size, signal);
  if (await isIntact(file, path)) return;
  await rm(path, { force: true });
  throw unreachable('a file whose content is not what the hub said it would be');
}

async function fetchRest(hub: HubRepository, file: HubFile, path: string, from: number, signal: AbortSignal): Promise<void> {
  const { start, body } = await hub.read(file, from);
  let at = start;
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      at += chunk.length;
      // Checked before it is written: the disk is promised to others too.
      if (at > file.bytes) throw unreachable(`more than the ${file.bytes} bytes that the hub had announced`);
      yield chunk;
    }
  }
  await pipeline(body, counted, createWriteStream(path, { flags: 'r+', start }), { signal });
  if (at < file.bytes) throw unreachable(`the end of the file after ${at} of ${file.bytes} bytes`);
}

async function isIntact({ bytes, hash }: HubFile, path: string): Promise<boolean> {
  if ((await stat(path)).size !== bytes) return false;
  if (hash === null) return true;
  return (hash.kind === 'sha256' ? await fileSha256(path) : await gitBlobSha1(path, bytes)) === hash.hex;
}
