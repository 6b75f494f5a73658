/** One start at a time in one folder; a start that was killed leaves a lock that the next one sees through. */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  forgetIdentity,
  identify,
  isAlive,
  readIdentity,
} from '../../packages/local-services/src/identity.mjs';
import { Failure, describeDiskError } from './failure.mjs';

function describeRunning(home, pid) {
  let where = 'It is still starting.';
  try {
    const { portalUrl, apiUrl } = JSON.parse(readFileSync(join(home, 'ready.json'), 'utf8'));
    where = `The portal is at ${portalUrl}, the API at ${apiUrl}.`;
  } catch {
    // Not ready yet: there is no address to tell.
  }
  return new Failure(
    `Aril is already running here (process ${pid}). ${where}`,
    `Stop it with Ctrl-C in its terminal, or: kill ${pid}`,
  );
}

/** @param {string} home @returns {() => void} releases the lock */
export function takeLock(home) {
  const file = join(home, 'start.lock');
  try {
    mkdirSync(home, { recursive: true });
  } catch (error) {
    throw describeDiskError(error, home);
  }
  for (;;) {
    try {
      const descriptor = openSync(file, 'wx', 0o644);
      writeSync(descriptor, JSON.stringify(identify(process.pid)));
      closeSync(descriptor);
      return () => forgetIdentity(file);
    } catch (error) {
      if (error.code !== 'EEXIST') throw describeDiskError(error, file);
    }
    const holder = readIdentity(file);
    if (holder && isAlive(holder)) throw describeRunning(home, holder.pid);
    forgetIdentity(file);
  }
}
