import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identify, isAlive } from '../../packages/local-services/src/identity.mjs';
import { startProcess } from '../../packages/local-services/src/process.mjs';
import { waitUntilHealthy } from '../lib/health.mjs';
import { Supervisor } from '../lib/supervisor.mjs';

let dir;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'aril-supervisor-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const node = (name, program) => async () =>
  startProcess({
    command: process.execPath,
    args: ['-e', program],
    log: join(dir, `${name}.log`),
    graceMs: 1_000,
  });

const SLEEPER = 'setInterval(() => {}, 1000)';

describe('Supervisor', () => {
  it('names a process that dies, with the end of its log, and starts it again', async () => {
    const told = [];
    const supervisor = new Supervisor((text) => told.push(text));
    const first = await supervisor.run('Worker', node('worker', `console.log('last words'); ${SLEEPER}`));
    await sleep(300);
    process.kill(first.pid, 'SIGKILL');
    for (let i = 0; i < 100 && supervisor.find('Worker').pid === first.pid; i++) await sleep(50);
    expect(supervisor.find('Worker').pid).not.toBe(first.pid);
    expect(supervisor.find('Worker').isRunning()).toBe(true);
    expect(told.join('\n')).toMatch(/Worker was ended by SIGKILL[\s\S]*last words/);
    await supervisor.stop([['Worker']]);
    expect(supervisor.find('Worker').isRunning()).toBe(false);
  });

  it('stops in order, kills what will not stop, and takes its children along', async () => {
    const supervisor = new Supervisor(() => {});
    const stubborn = `process.on('SIGTERM', () => {}); console.log(require('child_process').spawn(process.execPath, ['-e', '${SLEEPER}']).pid); ${SLEEPER}`;
    const a = await supervisor.run('A', node('a', stubborn));
    const b = await supervisor.run('B', node('b', SLEEPER));
    await sleep(300);
    const grandchild = identify(Number(readFileSync(a.log, 'utf8')));
    const ended = [];
    a.exited.then(() => ended.push('A'));
    b.exited.then(() => ended.push('B'));
    await supervisor.stop([['A'], ['B']]);
    expect(ended).toEqual(['A', 'B']);
    await sleep(100);
    expect(isAlive(grandchild)).toBe(false);
  });

  it('stops what was still starting when it was told to stop', async () => {
    const supervisor = new Supervisor(() => {});
    const starting = supervisor.run('Late', async () => {
      await sleep(200);
      return node('late', SLEEPER)();
    });
    await supervisor.stop([['Late']]);
    const late = await starting;
    await late.exited;
    expect(late.isRunning()).toBe(false);
  });
});

describe('waitUntilHealthy', () => {
  it('gives up at once on a process that ended, and shows its log', async () => {
    const ended = await node('bad', "console.error('no such table'); process.exit(3)")();
    const waiting = waitUntilHealthy({ name: 'API', url: 'http://127.0.0.1:9/ready', find: () => ended });
    await expect(waiting).rejects.toMatchObject({
      message: 'API ended while it was starting.',
      log: ended.log,
    });
  });
});
