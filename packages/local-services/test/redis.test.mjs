import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { readIdentity } from '../src/identity.mjs';
import { pingRedis, startRedis } from '../src/index.mjs';

const cleanups = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'aril-redis-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function start(dir) {
  const server = await startRedis({ dir });
  cleanups.push(() => server.stop());
  const client = new Redis(server.url);
  client.on('error', () => {});
  cleanups.push(() => client.disconnect());
  return { server, client };
}

describe('startRedis', () => {
  it('keeps data and address over a stop and a start', async () => {
    const dir = folder();
    const first = await start(dir);
    await first.client.xadd('stream', '1-0', 'token', 'hello');
    first.client.disconnect();
    await first.server.stop();
    const second = await start(dir);
    expect(second.server.url).toBe(first.server.url);
    expect(await second.client.xrange('stream', '-', '+')).toEqual([['1-0', ['token', 'hello']]]);
  });

  it('keeps what was written a second before it was killed', async () => {
    const dir = folder();
    const first = await start(dir);
    await first.client.set('key', 'value');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    process.kill(readIdentity(join(dir, 'redis.pid')).pid, 'SIGKILL');
    await first.server.exited;
    const second = await start(dir);
    expect(await second.client.get('key')).toBe('value');
  });

  it('evicts nothing and asks for a password that is not on its command line', async () => {
    const dir = folder();
    const { server, client } = await start(dir);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    await expect(pingRedis(server.url.replace(/:[^:@/]+@/, ':wrong@'))).rejects.toThrow(/WRONGPASS/);
    const { pid } = readIdentity(join(dir, 'redis.pid'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(new URL(server.url).password);
    expect(statSync(join(dir, 'redis.conf')).mode & 0o077).toBe(0);
  });

  it('says why an address is no good', async () => {
    await expect(pingRedis('redis://127.0.0.1:1/0')).rejects.toThrow(/ECONNREFUSED/);
  });
});
