/**
 * What a new user does: clone, `npm start`, paste the curl, Ctrl-C, start again. As a plain user whenever the test
 * itself runs as root. The clone is of the last commit: what is not committed is not shipped.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPortFree } from '../../packages/local-services/src/ports.mjs';
import { eventually } from '../support/processes.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const MINUTES = 60_000;
const isRoot = process.getuid?.() === 0;
/** `nobody` has no home and owns nothing: the plainest user there is. */
const NOBODY = 65_534;
/** How long a second start may take. */

const root = mkdtempSync(join(tmpdir(), 'aril-clone-'));
const clone = join(root, 'a clone');
const home = join(root, 'home');
let ports: { api: number; portal: number };
const children: ChildProcess[] = [];

/** None that the kernel hands out: whoever connects meanwhile must not have it when the clone starts again. */
async function steadyPort(): Promise<number> {
  const port = 20_000 + Math.floor(10_000 * Math.random());
  return (await isPortFree(port)) ? port : steadyPort();
}

beforeAll(async () => {
  execFileSync('git', ['clone', '--quiet', repository, clone]);
  mkdirSync(home);
  // Downloads that an earlier test run made: what is tested is the start, not the network. The first ever run has none.
  const cached = join(process.env.ARIL_CACHE ?? '', 'models');
  if (process.env.ARIL_CACHE && existsSync(cached))
    cpSync(cached, join(home, '.cache', 'aril', 'models'), { recursive: true });
  if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, root]);
  ports = { api: await steadyPort(), portal: await steadyPort() };
});

afterAll(async () => {
  for (const child of children.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  )) {
    process.kill(-child.pid!, 'SIGTERM');
    await once(child, 'exit');
  }
  await rm(root, { recursive: true, force: true });
  // 100,000 files, which some file systems remove at 500 a second.
}, 10 * MINUTES);

interface Start {
  child: ChildProcess;
  output: () => string;
}

/** In a process group of its own, as in a terminal of its own. */
function npmStart(args: string[] = [], extra: NodeJS.ProcessEnv = {}): Start {
  const { PATH, LANG } = process.env;
  const env = {
    PATH,
    LANG,
    HOME: home,
    API_PORT: String(ports.api),
    PORTAL_PORT: String(ports.portal),
    ...extra,
  };
  const child = spawn('npm', ['start', ...(args.length > 0 ? ['--', ...args] : [])], {
    cwd: clone,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  children.push(child);
  let text = '';
  child.stdout!.on('data', (chunk) => (text += chunk));
  child.stderr!.on('data', (chunk) => (text += chunk));
  return { child, output: () => text };
}

async function untilReady(start: Start, timeoutMs: number): Promise<void> {
  await eventually(
    'npm start to be ready',
    async () => {
      if (start.child.exitCode !== null) return true;
      return start.output().includes('Aril is ready') && existsSync(join(clone, '.aril', 'ready.json'));
    },
    timeoutMs,
  );
  expect(start.output()).toContain('Aril is ready');
}

/** When what a start installs and builds was written. */
const madeAt = (): number[] =>
  ['node_modules/.package-lock.json', 'apps/portal/.next/BUILD_ID', 'apps/api/dist/main.js', 'packages/sgmv-native/build/Release/sgmv.node'].map(
    (file) => statSync(join(clone, file)).mtimeMs,
  );

/** As Ctrl-C in a terminal: the signal goes to the whole foreground group. */
async function stop(start: Start, signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
  const exited = once(start.child, 'exit');
  process.kill(-start.child.pid!, signal);
  await exited;
}

/** Processes whose command line or folder lies in the clone. */
function leftProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(clone));
}

const ready = () =>
  JSON.parse(readFileSync(join(clone, '.aril', 'ready.json'), 'utf8')) as {
    portalUrl: string;
    apiUrl: string;
    tenants: { login: string; password: string; apiKey: string; adapters: string[] }[];
  };

const pasted = (output: string) =>
  output.slice(output.indexOf('curl '), output.indexOf('\n\n', output.indexOf('curl ')));

describe('a clean clone', () => {
  let first: Start;

  it(
    'reaches ready with one command, and the curl it prints works when pasted',
    { timeout: 12 * MINUTES },
    async () => {
      first = npmStart();
      await untilReady(first, 12 * MINUTES);
      const { portalUrl, apiUrl, tenants } = ready();
      expect(tenants.map(({ adapters }) => adapters.length)).toEqual([3, 3]);
      expect((await fetch(`${portalUrl}/sign-in`)).status).toBe(200);
      expect((await fetch(`${apiUrl}/ready`)).status).toBe(200);
      const answer = execFileSync('bash', ['-c', pasted(first.output())], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(JSON.parse(answer).choices[0].message.content).toContain('"Nora"');
    },
  );

  it('says that it is running when it is started a second time', async () => {
    const second = npmStart();
    await once(second.child, 'exit');
    expect(second.output()).toMatch(/already running here \(process \d+\)/);
    expect(second.output()).toContain(ready().portalUrl);
  });

  it('stops everything on Ctrl-C', async () => {
    await stop(first);
    expect(first.output()).toContain('Stopped.');
    expect(leftProcesses()).toEqual([]);
    expect(existsSync(join(clone, '.aril', 'ready.json'))).toBe(false);
  });

  it('starts again without installing and building, with the same keys', { timeout: 5 * MINUTES }, async () => {
    const { apiKey } = JSON.parse(readFileSync(join(clone, '.aril', 'seed.json'), 'utf8')).tenants[0];
    const made = madeAt();
    const again = npmStart();
    await untilReady(again, 2 * MINUTES);
    expect(madeAt()).toEqual(made);
    expect(ready().tenants[0]!.apiKey).toBe(apiKey);
    const models = await fetch(`${ready().apiUrl}/v1/models`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(models.status).toBe(200);
    // npm does not wait for what it started when it is told to end; the rest follows.
    await stop(again, 'SIGTERM');
    await eventually('everything to stop', async () => leftProcesses().length === 0);
  });

  it('leaves nothing behind when it is killed, and starts again', { timeout: 5 * MINUTES }, async () => {
    const killed = npmStart();
    await untilReady(killed, 2 * MINUTES);
    await stop(killed, 'SIGKILL');
    await eventually('the services to stop by themselves', async () => leftProcesses().length === 0);
    const again = npmStart();
    await untilReady(again, 2 * MINUTES);
    await stop(again);
  });

  it('names a taken port and the way out', async () => {
    const squatter = createServer().listen(ports.portal, '127.0.0.1');
    await once(squatter, 'listening');
    const refused = npmStart();
    await once(refused.child, 'exit');
    squatter.close();
    expect(refused.child.exitCode).toBe(1);
    expect(refused.output()).toContain(`Port ${ports.portal} on 127.0.0.1`);
    expect(refused.output()).toContain('PORTAL_PORT=');
  });

  it('names a missing tool and the command that installs it', async () => {
    const bin = join(root, 'bin');
    mkdirSync(bin);
    for (const tool of ['node', 'npm', 'make', 'g++', 'sh', 'env', 'uname'])
      execFileSync('bash', ['-c', `ln -s "$(command -v ${tool})" "${join(bin, tool)}"`]);
    const refused = npmStart([], { PATH: bin });
    await once(refused.child, 'exit');
    expect(refused.output()).toContain('Missing: cmake.');
    expect(refused.output()).toMatch(/apt-get install -y cmake/);
  });

  it(
    'starts over when asked to',
    async () => {
      const before = readFileSync(join(clone, '.aril', 'secrets.json'), 'utf8');
      const over = npmStart(['--reset']);
      await untilReady(over, 2 * MINUTES);
      expect(readFileSync(join(clone, '.aril', 'secrets.json'), 'utf8')).not.toBe(before);
      await stop(over);
      expect(leftProcesses()).toEqual([]);
    },
    3 * MINUTES,
  );
});
