import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { libraryPath } from '../src/apt.mjs';

const root = mkdtempSync(join(tmpdir(), 'aril-apt-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('finds libraries beside the others and in folders of their own, and no other folder', () => {
  for (const path of [
    'usr/lib/x86_64-linux-gnu/libpulse.so.0',
    'usr/lib/x86_64-linux-gnu/pulseaudio/libpulsecommon-16.1.so',
    'usr/lib/x86_64-linux-gnu/pkgconfig/libpulse.pc',
    'usr/lib/chromium/chromium',
  ]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
  const triplet = join(root, 'usr/lib/x86_64-linux-gnu');
  expect(libraryPath(root).split(':')).toEqual([triplet, join(root, 'usr/lib'), join(triplet, 'pulseaudio')]);
});
