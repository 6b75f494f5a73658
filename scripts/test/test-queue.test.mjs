import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nextStep, runQueue } from '../lib/test-queue.mjs';
import { testSteps } from '../lib/test-steps.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const waits = (id) => ({ id, computes: false });
const builds = (id, uses) => ({ id, computes: true, uses });

describe('the queue of test steps', () => {
  it('takes the longest of the kind that does not run yet', () => {
    const steps = [waits('eslint'), waits('api'), builds('native', 'Release'), builds('cuda-races', 'thread')];
    expect(nextStep(steps, []).id).toBe('cuda-races');
    expect(nextStep(steps, [steps[3]]).id).toBe('api');
    expect(nextStep(steps, [steps[0]]).id).toBe('cuda-races');
  });

  it('takes one of the same kind where there is no other, but never two that build in one folder', () => {
    const [a, b, c] = [builds('native', 'Release'), builds('cuda', 'Release'), builds('cuda-races', 'thread')];
    expect(nextStep([b, c], [a]).id).toBe('cuda-races');
    expect(nextStep([b], [a])).toBeUndefined();
    expect(nextStep([waits('x')], [waits('y')]).id).toBe('x');
  });

  it('runs every step once, as many at once as it may, and ends with the first that is interrupted', async () => {
    const steps = testSteps(root, '2');
    expect(steps.filter(({ uses }) => uses).map(({ id, uses }) => `${id}: ${uses}`)).toEqual([
      ...['native: Release', 'native-sanitized: address,undefined', 'native-threads: thread', 'cuda: Release'],
      ...['cuda-emulated: Release', 'cuda-sanitized: address,undefined', 'cuda-access: Release', 'cuda-races: thread'],
      ...['native-fuzz: address,undefined', 'api: ports', 'e2e: ports'],
    ]);
    const [ran, counts] = [[], { now: 0, most: 0 }];
    const run = async (step) => {
      counts.most = Math.max(counts.most, ++counts.now);
      ran.push(step);
      await new Promise((resolve) => setTimeout(resolve, step.id.length / 4));
      counts.now--;
      return step.id;
    };
    expect(await runQueue(steps, 2, run)).toEqual(steps.map(({ id }) => id));
    expect([counts.most, ran.length, new Set(ran).size]).toEqual([2, steps.length, steps.length]);
    await expect(runQueue(steps, 2, () => Promise.reject(new Error('interrupted')))).rejects.toThrow('interrupted');
  });
});
