import { expect, it } from 'vitest';
import * as contracts from '../src/index.js';

const id = '0f8fad5b-d9cb-469f-a165-70867728950e';

it('gives BullMQ names and job ids without the colon that BullMQ reserves', () => {
  const names = [contracts.generationQueue('smollm2-135m-instruct'), contracts.SETTLEMENT_QUEUE, contracts.settlementJobId(id)];
  for (const name of names) expect(name).not.toContain(':');
  // BullMQ takes an id that reads as a number for one of its own.
  expect(Number.isNaN(Number(contracts.settlementJobId(id)))).toBe(true);
});

it('keeps every key under one prefix and the keys of a generation apart', () => {
  const keys = [
    contracts.generationStreamKey(id),
    contracts.generationFenceKey(id),
    contracts.generationCancelKey(id),
    contracts.generationRunKey(id),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  for (const key of [...keys, contracts.RUNNERS_KEY, contracts.CANCEL_CHANNEL, contracts.QUEUE_PREFIX]) expect(key).toMatch(/^aril:/);
});
