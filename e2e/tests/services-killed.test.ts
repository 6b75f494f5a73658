/** Redis and Postgres killed under load, as by the loss of power, and back with their data. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { generate, usage, type Generation } from '../support/graphql.js';
import { apiReady, eventually, kill } from '../support/processes.js';
import { unreserved } from '../support/settled.js';
import { tenantWith } from '../support/stack.js';

const { apiKey } = tenantWith('triage');
const CALLS = 6;
const TOKENS = 80;

const request = () => ({
  target: 'triage',
  messages: [{ role: 'USER', content: 'URGENT: I was charged twice.' }],
  sampling: { temperature: 0, maxTokens: TOKENS, ignoreEos: true },
  idempotencyKey: randomUUID(),
});

/** Asks until there is an answer, as a client with an idempotency key may. */
const persist = (input: ReturnType<typeof request>): Promise<Generation> => eventually('an answer', () => generate(apiKey, input), 100_000);

beforeAll(apiReady);

it.each(['postgres', 'redis'] as const)('%s killed: every answer comes, the same to whoever asks again, billed once', async (service) => {
  const before = await usage(apiKey);
  const inputs = Array.from({ length: CALLS }, request);
  const answers = Promise.all(inputs.map(persist));
  for (let round = 0; round < 2; round++) {
    await sleep(300 + 500 * Math.random());
    await kill(service);
    await apiReady();
  }
  const generations = await answers;
  expect(generations.map(({ status, completionTokens }) => [status, completionTokens])).toEqual(inputs.map(() => ['SUCCEEDED', TOKENS]));
  expect(await Promise.all(inputs.map(persist))).toEqual(generations);
  expect(new Set(generations.map(({ id }) => id)).size).toBe(CALLS);
  await unreserved(apiKey);
  const { totals } = await usage(apiKey);
  expect([totals.requests - before.totals.requests, totals.completionTokens - before.totals.completionTokens]).toEqual([CALLS, CALLS * TOKENS]);
});
