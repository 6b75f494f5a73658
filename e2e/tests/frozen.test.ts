/** Processes that stand still for longer than anybody waits for them, and go on: nothing is lost, nothing is billed twice. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { follow, generate, startGeneration, usage, type Generation } from '../support/graphql.js';
import { apiReady, eventually, signal } from '../support/processes.js';
import { unreserved } from '../support/settled.js';
import { tenantWith } from '../support/stack.js';

const { apiKey } = tenantWith('triage');
const TOKENS = 300;
/** Longer than a runner's lock, and than the API waits for Redis. */
const FROZEN_MS = 14_000;

const request = () => ({
  target: 'triage',
  messages: [{ role: 'USER', content: 'URGENT: I was charged twice.' }],
  sampling: { temperature: 0, maxTokens: TOKENS, ignoreEos: true },
  idempotencyKey: randomUUID(),
});

beforeAll(apiReady);
const NAMES = ['runner', 'api', 'redis'] as const;
afterEach(() => NAMES.forEach((name) => signal(name, 'SIGCONT')));

it.each(NAMES)('%s stands still: every answer comes whole, to who goes on where he was or asks again, and is billed once', async (name) => {
  const before = await usage(apiKey);
  const inputs = [request(), request(), request()];
  const [followed, ...waited] = inputs.map((input) => ({ input, answer: null as Promise<Generation> | null }));
  const { id } = await startGeneration(apiKey, followed!.input);
  const seen: number[] = [];
  const text: string[] = [];
  // As clients do: from where it was when the connection broke, and with the same key.
  let attempts = 0;
  const reading = eventually('the end of the stream', async () => {
    attempts++;
    for await (const event of follow(apiKey, id, seen.at(-1) ?? 0)) {
      seen.push(event.seq);
      text.push(event.text);
      if (event.__typename === 'GenerationEnd') return event;
    }
  }, 110_000);
  const answers = waited.map(({ input }) => eventually('an answer', () => generate(apiKey, input), 110_000));
  await eventually('the first tokens', async () => seen.length > 3);
  signal(name, 'SIGSTOP');
  await sleep(FROZEN_MS);
  signal(name, 'SIGCONT');
  expect(await reading).toMatchObject({ finishReason: 'LENGTH', completionTokens: TOKENS });
  // Only of Redis's silence followers are told: an API that stood still itself has heard nothing amiss.
  if (name !== 'redis') expect(attempts).toBe(1);
  expect(seen).toEqual(seen.map((_, index) => index + 1));
  for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ status: 'SUCCEEDED', completionTokens: TOKENS, text: text.join('') });
  await unreserved(apiKey);
  const { totals } = await usage(apiKey);
  expect([totals.requests - before.totals.requests, totals.completionTokens - before.totals.completionTokens]).toEqual([inputs.length, inputs.length * TOKENS]);
});
