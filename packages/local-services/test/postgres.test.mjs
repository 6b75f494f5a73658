import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, readIdentity } from '../src/identity.mjs';
import { isPortFree, startPostgres, withClient } from '../src/index.mjs';

const cleanups = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(parent = tmpdir()) {
  const dir = mkdtempSync(join(parent, 'aril-postgres-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function start(dir, options = {}) {
  const server = await startPostgres({ dir, durable: false, ...options });
  cleanups.push(() => server.stop());
  return server;
}

const select = (url, sql) => withClient(url, async (client) => (await client.query(sql)).rows);

/** A second process that starts a server and is then killed without a chance to stop it. */
async function startInKilledProcess(dir) {
  const program = `
    import { startPostgres } from ${JSON.stringify(new URL('../src/index.mjs', import.meta.url).href)};
    const { url } = await startPostgres({ dir: ${JSON.stringify(dir)}, durable: false });
    console.log(url);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return String(line).trim();
}

describe('startPostgres', () => {
  it('keeps data and address over a stop and a start', async () => {
    const dir = folder();
    const first = await start(dir);
    await select(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();
    expect(await isPortFree(first.port)).toBe(true);
    const second = await start(dir);
    expect(second.url).toBe(first.url);
    expect(await select(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('listens on loopback only, asks for the password and keeps it private', async () => {
    const dir = folder();
    const server = await start(dir);
    expect(await select(server.url, "SELECT current_setting('listen_addresses') AS at")).toEqual([
      { at: '127.0.0.1' },
    ]);
    const wrong = server.url.replace(/:[^:@/]+@/, ':wrong@');
    await expect(select(wrong, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    expect(statSync(join(dir, 'password')).mode & 0o077).toBe(0);
  });

  it('works in a folder that only its owner may enter', async () => {
    const parent = folder(process.getuid() === 0 ? '/root' : homedir());
    const dir = join(parent, 'a folder with spaces');
    mkdirSync(dir, { mode: 0o700 });
    const server = await start(dir);
    expect(await select(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('never runs as root', async () => {
    const dir = folder();
    await start(dir);
    const { pid } = readIdentity(join(dir, 'postgres.pid'));
    const [, uid] = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    expect(Number(uid)).not.toBe(0);
  });

  it('does not outlive a parent that is killed, and starts again on its data', async () => {
    const dir = folder();
    const url = await startInKilledProcess(dir);
    const orphan = readIdentity(join(dir, 'postgres.pid'));
    for (let i = 0; i < 200 && isAlive(orphan); i++) await sleep(50);
    expect(isAlive(orphan)).toBe(false);
    const server = await start(dir);
    expect(server.url).toBe(url);
  });

  it('sees through a lock file that names a stranger', async () => {
    const dir = folder();
    const first = await start(dir);
    const lock = readFileSync(join(dir, 'data', 'postmaster.pid'), 'utf8');
    await first.stop();
    // As after a crash: the number in the file belongs to a living process now, which is not Postgres.
    writeFileSync(join(dir, 'data', 'postmaster.pid'), lock.replace(/^\d+/, String(process.pid)));
    const second = await start(dir);
    expect(await select(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('takes another port when the one it had is taken', async () => {
    const dir = folder();
    const first = await start(dir);
    await first.stop();
    const squatter = await start(folder(), { port: first.port });
    const second = await start(dir);
    expect(second.port).not.toBe(squatter.port);
  });

  it('makes a whole cluster after an attempt that was cut short', async () => {
    const dir = folder();
    mkdirSync(join(dir, 'data.new', 'base'), { recursive: true });
    const server = await start(dir);
    expect(await select(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(existsSync(join(dir, 'data.new'))).toBe(false);
  });
});
