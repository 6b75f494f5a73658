import { describe, expect, it } from 'vitest';
import { Admission } from '../src/engine/admission.js';

describe('admission', () => {
  it('lets in at once while open, and in order when it opens again', async () => {
    const admission = new Admission();
    const { signal } = new AbortController();
    await admission.enter(signal);
    admission.close();
    const entered: number[] = [];
    const entries = [1, 2, 3].map((index) => admission.enter(signal).then(() => entered.push(index)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toEqual([]);
    admission.open();
    await Promise.all(entries);
    expect(entered).toEqual([1, 2, 3]);
  });

  it('lets go of who gives up waiting', async () => {
    const admission = new Admission();
    admission.close();
    const leaving = new AbortController();
    const left = admission.enter(leaving.signal);
    const stays = admission.enter(new AbortController().signal);
    leaving.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    admission.open();
    await stays;
    await expect(admission.enter(leaving.signal)).rejects.toThrow('enough');
  });
});
