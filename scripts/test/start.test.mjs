import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeDiskError } from '../lib/failure.mjs';
import { isInstalled } from '../lib/install.mjs';
import { takeLock } from '../lib/lock.mjs';
import { exampleCurl } from '../lib/ready.mjs';
import { readSettings } from '../lib/settings.mjs';

let dir;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'aril-start-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('readSettings', () => {
  it('has defaults for everything', () => {
    const settings = readSettings({}, []);
    expect(settings).toMatchObject({
      apiPort: 4000,
      portalPort: 3000,
      databaseUrl: null,
      redisUrl: null,
      s3: null,
      reset: false,
    });
  });

  it.each([
    [{ API_PORT: 'http' }, /API_PORT: found "http"; expected a port number/],
    [{ PORTAL_PORT: '70000' }, /PORTAL_PORT/],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL is not a postgresql/],
    [{ REDIS_URL: 'localhost:6379' }, /REDIS_URL is not a redis/],
    [{ S3_REGION: 'x' }, /S3_BUCKET is not set/],
  ])('names what is wrong in %o', (env, message) => {
    expect(() => readSettings(env, [])).toThrow(message);
  });

  it('refuses an option it does not know', () => {
    expect(() => readSettings({}, ['--rest'])).toThrow(/Unknown option --rest/);
  });
});

describe('takeLock', () => {
  it('lets one in, says where it runs, and lets the next in after it', async () => {
    const lock = await takeLock(dir);
    writeFileSync(join(dir, 'ready.json'), JSON.stringify({ portalUrl: 'http://p', apiUrl: 'http://a' }));
    const where = new RegExp(`already running here \\(process ${process.pid}\\).*http://p.*http://a`);
    await expect(takeLock(dir)).rejects.toThrow(where);
    lock.release();
    (await takeLock(dir)).release();
  });

  it('waits for one that is stopping', async () => {
    const lock = await takeLock(dir);
    lock.markStopping();
    const next = takeLock(dir);
    setTimeout(() => lock.release(), 300);
    const began = Date.now();
    (await next).release();
    expect(Date.now() - began).toBeGreaterThan(200);
  });

  it('lets one of many in when all find a stale lock', async () => {
    writeFileSync(
      join(dir, 'start.lock'),
      JSON.stringify({ pid: process.pid, startTicks: '1', bootId: 'x' }),
    );
    const program = `
      const { takeLock } = await import(${JSON.stringify(new URL('../lib/lock.mjs', import.meta.url).href)});
      await takeLock(${JSON.stringify(dir)}).then(() => console.log('in'), () => {});
      setTimeout(() => process.exit(0), 1500);`;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    const outputs = await Promise.all([run(), run(), run(), run()]);
    expect(outputs.filter(({ stdout }) => stdout.includes('in'))).toHaveLength(1);
  });

  it.each([
    ['a process that is gone', { pid: 2 ** 22 - 3, startTicks: '1', bootId: 'x' }],
    ['a stranger with the same number', { pid: process.pid, startTicks: '1', bootId: 'x' }],
  ])('sees through a lock of %s', async (_what, identity) => {
    writeFileSync(join(dir, 'start.lock'), JSON.stringify(identity));
    (await takeLock(dir)).release();
  });

  it('sees through a lock that was cut short', async () => {
    writeFileSync(join(dir, 'start.lock'), '{"pi');
    (await takeLock(dir)).release();
  });
});

describe('isInstalled', () => {
  const lock = (version) =>
    JSON.stringify({
      packages: {
        '': {},
        'node_modules/a': { version },
        'node_modules/b': { version: '1.0.0', optional: true },
      },
    });

  it('compares what is there with the lock file', () => {
    writeFileSync(join(dir, 'package-lock.json'), lock('1.0.0'));
    expect(isInstalled(dir)).toBe(false);
    mkdirSync(join(dir, 'node_modules', 'a'), { recursive: true });
    const hidden = JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } });
    writeFileSync(join(dir, 'node_modules', '.package-lock.json'), hidden);
    expect(isInstalled(dir)).toBe(true);
    writeFileSync(join(dir, 'package-lock.json'), lock('1.0.1'));
    expect(isInstalled(dir)).toBe(false);
    writeFileSync(join(dir, 'package-lock.json'), lock('1.0.0'));
    rmSync(join(dir, 'node_modules', 'a'), { recursive: true });
    expect(isInstalled(dir)).toBe(false);
  });
});

describe('messages', () => {
  it('names a full disk and a folder that cannot be written', () => {
    expect(describeDiskError({ code: 'ENOSPC', message: '' }, '/x').message).toBe(
      'The disk that holds /x is full.',
    );
    expect(describeDiskError({ code: 'EACCES', message: '' }, '/x').fix).toContain('chown');
    const other = new Error('other');
    expect(describeDiskError(other, '/x')).toBe(other);
  });

  it('prints a curl that survives the shell', () => {
    const facts = { apiUrl: 'http://127.0.0.1:4000', tenants: [{ apiKey: 'k', adapters: ['sql', 'x'] }] };
    const command = exampleCurl(facts);
    expect(command).toContain('"model":"sql"');
    expect(command.split('\n')).toHaveLength(4);
  });
});
