/**
 * Where tests put what they throw away: clones, databases, caches. In memory where there is plenty, because a file system
 * that discards blocks as it frees them (mount option `discard`) takes minutes to remove a clone's 100,000 files.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '../../packages/local-services/src/identity.mjs';

const PREFIX = 'aril-test-';
/** What all steps leave in it at once, and as much again for them to compute in. */
const NEEDED_BYTES = 10 * 2 ** 30;

/** A run that was killed has not tidied up, and memory is dear. */
function removeLeftovers(parent) {
  const left = readdirSync(parent).filter(
    (name) => name.startsWith(PREFIX) && !identify(Number(name.slice(PREFIX.length))),
  );
  for (const name of left) rmSync(join(parent, name), { recursive: true, force: true });
}

function hasRoom(folder, available) {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return Math.min(bavail * bsize, available) >= NEEDED_BYTES;
}

/**
 * The folder that TMPDIR names, if it is set.
 * @param {{ memory?: string, available?: number }} [options] memory: a folder that is kept there; available: bytes of it that are free
 * @returns {{ folder: string, remove: () => void }}
 */
export function makeScratch({ memory = '/dev/shm', available = freemem() } = {}) {
  if (existsSync(memory)) removeLeftovers(memory);
  if (process.env.TMPDIR || !hasRoom(memory, available)) return { folder: tmpdir(), remove: () => {} };
  const folder = join(memory, `${PREFIX}${process.pid}`);
  // Some tests start servers as another user, who must be able to pass.
  mkdirSync(folder, { mode: 0o755 });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
