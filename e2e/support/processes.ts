/** The stack's processes, found by the pid files `npm start` keeps, as an operator would. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, readIdentity } from '../../packages/local-services/src/identity.mjs';
import { stack } from './stack.js';

const PID_FILES = { api: 'api.pid', runner: 'runner.pid', portal: 'portal.pid', redis: 'redis/redis.pid', postgres: 'postgres/postgres.pid' };
type Name = keyof typeof PID_FILES;

function identityOf(name: Name) {
  const identity = readIdentity(join(stack.home, PID_FILES[name]));
  if (!identity || !isAlive(identity)) throw new Error(`${name} is not running`);
  return identity;
}

export function signal(name: Name, what: NodeJS.Signals): void {
  process.kill(identityOf(name).pid, what);
}

/** Kills without warning and returns when the process is gone; the supervisor starts it again, a service with its data. */
export async function kill(name: Name): Promise<void> {
  const identity = identityOf(name);
  process.kill(identity.pid, 'SIGKILL');
  while (isAlive(identity)) await sleep(10);
}

/** Polls until `check` gives something; throws with `what` after a minute. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | null | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await check().catch(() => null);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await sleep(50);
  }
}

export const apiReady = () =>
  eventually('the API to be ready again', async () => (await fetch(`${stack.apiUrl}/ready`)).ok);
