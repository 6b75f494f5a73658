/** A Redis that loses all of its data under load. */
import { Redis } from 'ioredis';
import { beforeAll, expect, it } from 'vitest';
import { follow, generate, startGeneration, usage, type GenerationEvent } from '../support/graphql.js';
import { apiReady } from '../support/processes.js';
import { settled, unreserved } from '../support/settled.js';
import { stack, tenantWith } from '../support/stack.js';

const { apiKey } = tenantWith('triage');
const CALLS = 4;
const TOKENS = 200;
const SETTLED_WITHIN_MS = 180_000;

const request = () => ({
  target: 'triage',
  messages: [{ role: 'USER', content: 'URGENT: I was charged twice.' }],
  sampling: { temperature: 0, maxTokens: TOKENS, ignoreEos: true },
});

beforeAll(apiReady);

it('costs no answer that was under way, repeats no token of it, and bills each once', { timeout: 2 * SETTLED_WITHIN_MS }, async () => {
  const before = await usage(apiKey);
  const started = await Promise.all(Array.from({ length: CALLS }, () => startGeneration(apiKey, request())));
  const redis = new Redis(stack.redisUrl);
  let under = 0;
  let emptied: Promise<unknown> | null = null;
  const streams = await Promise.all(
    started.map(async ({ id }) => {
      const events: GenerationEvent[] = [];
      for await (const event of follow(apiKey, id)) {
        events.push(event);
        // All of them are under way, none is near its end.
        if (events.length === 5 && ++under === CALLS) emptied = redis.flushall();
      }
      return events;
    }),
  );
  expect(await emptied).toBe('OK');
  redis.disconnect();
  for (const [index, events] of streams.entries()) {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.at(-1)).toMatchObject({ __typename: 'GenerationEnd', finishReason: 'LENGTH', completionTokens: TOKENS, error: null });
    const generation = await settled(apiKey, started[index]!.id);
    expect(generation.status).toBe('SUCCEEDED');
    expect(events.map(({ text }) => text).join('')).toBe(generation.text);
  }
  expect((await generate(apiKey, request())).status).toBe('SUCCEEDED');
  const { totals } = await usage(apiKey);
  expect([totals.requests - before.totals.requests, totals.completionTokens - before.totals.completionTokens]).toEqual([CALLS + 1, (CALLS + 1) * TOKENS]);
  await unreserved(apiKey, SETTLED_WITHIN_MS);
});
