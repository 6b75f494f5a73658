import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeScratch } from '../lib/scratch.mjs';

const PLENTY = 2 ** 40;
let memory;

beforeEach(() => {
  memory = mkdtempSync(join(tmpdir(), 'aril-scratch-'));
  vi.stubEnv('TMPDIR', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(memory, { recursive: true });
});

describe('the folder of tests', () => {
  it.runIf(freeBytes(tmpdir()) > 2 ** 34)('is in memory where there is plenty, and goes with all that is in it', () => {
    const scratch = makeScratch({ memory, available: PLENTY });
    expect(scratch.folder.startsWith(memory)).toBe(true);
    writeFileSync(join(scratch.folder, 'file'), 'left by a test');
    scratch.remove();
    expect(readdirSync(memory)).toEqual([]);
  });

  it('is the usual one where memory is short, or there is none to put it in, or TMPDIR is set', () => {
    expect(makeScratch({ memory, available: 2 ** 30 }).folder).toBe(tmpdir());
    expect(makeScratch({ memory: join(memory, 'none'), available: PLENTY }).folder).toBe(tmpdir());
    vi.stubEnv('TMPDIR', '/elsewhere');
    const scratch = makeScratch({ memory, available: PLENTY });
    expect(scratch.folder).toBe('/elsewhere');
    scratch.remove();
    expect(readdirSync(memory)).toEqual([]);
  });

  it('loses what a killed run has left, not that of one that runs', () => {
    const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
    for (const name of [`aril-test-${dead}`, `aril-test-${process.ppid}`, 'of-others']) mkdirSync(join(memory, name));
    makeScratch({ memory, available: 0 });
    expect(existsSync(join(memory, `aril-test-${dead}`))).toBe(false);
    expect(readdirSync(memory).sort()).toEqual([`aril-test-${process.ppid}`, 'of-others'].sort());
  });
});

function freeBytes(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
