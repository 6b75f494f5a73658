/** One start at a time in one folder; a start that was killed leaves a lock that the next one sees through. */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  forgetIdentity,
  identify,
  isAlive,
  readIdentity,
} from '../../packages/local-services/src/identity.mjs';
import { Failure, describeDiskError } from './failure.mjs';

/** Longer than everything takes to stop. */
const STOPPING_MS_MAX = 60_000;

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

/** @returns {boolean} whether the lock is ours now */
function tryCreate(file) {
  try {
    const descriptor = openSync(file, 'wx', 0o644);
    writeSync(descriptor, JSON.stringify(identify(process.pid)));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw describeDiskError(error, file);
  }
}

/** Two starts may both find a stale lock, and the slower one remove the quicker one's new one: so look again. */
async function isStillOurs(file) {
  await sleep(20);
  return readIdentity(file)?.pid === process.pid;
}

/** A start that is on its way down is waited for; one that runs is the user's to stop. */
async function waitForHolder(file, home) {
  const deadline = Date.now() + STOPPING_MS_MAX;
  for (;;) {
    const holder = readIdentity(file);
    if (!holder || !isAlive(holder)) return forgetIdentity(file);
    if (!holder.stopping || Date.now() > deadline) throw describeRunning(home, holder.pid);
    await sleep(100);
  }
}

/**
 * @param {string} home
 * @returns {Promise<{ markStopping(): void, release(): void }>} markStopping: a start that comes now may wait
 */
export async function takeLock(home) {
  const file = join(home, 'start.lock');
  try {
    mkdirSync(home, { recursive: true });
  } catch (error) {
    throw describeDiskError(error, home);
  }
  while (!tryCreate(file) || !(await isStillOurs(file))) await waitForHolder(file, home);
  return {
    markStopping: () => writeFileSync(file, JSON.stringify({ ...identify(process.pid), stopping: true })),
    release: () => forgetIdentity(file),
  };
}
