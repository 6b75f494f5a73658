import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runTestStep } from '../lib/test-run.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'aril-test-run-'));
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
const logs = mkdtempSync(join(tmpdir(), 'aril-test-logs-'));
afterAll(() => [folder, logs].forEach((path) => rmSync(path, { recursive: true })));

const run = (step) => runTestStep({ id: 'step', cwd: folder, env: {}, ...step }, { logs, env: process.env, note: () => {} });
const printing = (text, status = 1) => run({ command: 'node', args: ['-e', `console.log(${JSON.stringify(text)}); process.exitCode = ${status}`], count: 'counted' });

describe('a step of tests', () => {
  it('names the tests of Vitest that failed, and says why', async () => {
    writeFileSync(
      join(folder, 'some.test.mjs'),
      `import { expect, it } from 'vitest';
       it('holds', () => expect(1).toBe(1));
       it('does not', () => expect(['a', 'b']).toEqual(['a', 'c']));
       it.skip('waits', () => {});`,
    );
    writeFileSync(join(folder, 'broken.test.mjs'), "throw new Error('no such thing')");
    const outcome = await run({ command: 'npx', args: ['vitest', 'run', '--root', folder], count: 'vitest' });
    expect(outcome).toMatchObject({ passed: 1, failed: 2, skipped: 1 });
    expect(outcome.failures.sort()).toEqual([
      expect.stringMatching(/broken\.test\.mjs: .*no such thing$/),
      "does not: AssertionError: expected [ 'a', 'b' ] to deeply equal [ 'a', 'c' ]",
    ]);
  }, 60_000);

  it('names those of the native tests', async () => {
    const outcome = await printing('ok    one (0.1 s)\nFAIL  two: three\n      7 instead of 8\nok    four (0.1 s)\n3 passed, 1 failed, 2 skipped');
    expect(outcome).toMatchObject({ passed: 3, failed: 1, skipped: 2, failures: ['two: three: 7 instead of 8'] });
  });

  it('has failed when it ends before its tests are counted, or badly after', async () => {
    expect(await printing('ok    one (0.1 s)')).toMatchObject({ failed: 1, failures: ['it ended before it had counted its tests'] });
    expect(await printing('1 passed, 0 failed')).toMatchObject({ passed: 1, failed: 1 });
    expect(await printing('1 passed, 0 failed', 0)).toMatchObject({ passed: 1, failed: 0, failures: [] });
  });
});
