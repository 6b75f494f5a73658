import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { endOf } from '../support/redis.js';
import { follow, generate, startGeneration, usage } from '../support/graphql.js';
import { apiReady, eventually, kill, signal } from '../support/processes.js';
import { settled } from '../support/settled.js';
import { stack, tenantWith } from '../support/stack.js';

const { apiKey } = tenantWith('triage');

const request = () => ({
  target: 'triage',
  messages: [{ role: 'USER', content: 'URGENT: I was charged twice this month.' }],
  sampling: { temperature: 0, maxTokens: 200, ignoreEos: true },
  idempotencyKey: randomUUID(),
});

describe('an API killed between the end of a generation and its answer', () => {
  it('loses nothing: asking again gives the answer, and it is billed once', async () => {
    const input = request();
    const before = await usage(apiKey);
    const redis = new Redis(stack.redisUrl);
    const started = await startGeneration(apiKey, input);

    // The client waits for the whole text; the API stands still, so it can neither settle nor answer; the runner ends.
    const waiting = generate(apiKey, input).then(
      () => 'answered',
      () => 'broken',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    signal('api', 'SIGSTOP');
    const end = await eventually('the runner to end the generation', () => endOf(redis, started.id));
    await kill('api');
    expect(await waiting).toBe('broken');

    await apiReady();
    const again = await generate(apiKey, input);
    expect(again).toMatchObject({
      id: started.id,
      status: 'SUCCEEDED',
      completionTokens: end.completionTokens,
    });
    expect(again.text).toContain('"category": "billing"');
    expect(await generate(apiKey, input)).toEqual(again);

    const after = await usage(apiKey);
    expect(after.totals.requests - before.totals.requests).toBe(1);
    expect(after.totals.completionTokens - before.totals.completionTokens).toBe(end.completionTokens);
    redis.disconnect();
  });

  it('lets a follower resume after the last event it saw, without gap or repeat', async () => {
    const started = await startGeneration(apiKey, {
      ...request(),
      sampling: { temperature: 0, maxTokens: 300, ignoreEos: true },
    });
    const seen: { seq: number; text: string }[] = [];
    const interrupted = (async () => {
      for await (const event of follow(apiKey, started.id)) {
        seen.push(event);
        if (seen.length === 10) await kill('api');
      }
    })().catch(() => {});
    await interrupted;
    expect(seen.length).toBeGreaterThanOrEqual(10);
    await apiReady();
    for await (const event of follow(apiKey, started.id, seen.at(-1)!.seq)) seen.push(event);
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
    const generation = await settled(apiKey, started.id);
    expect(generation.status).toBe('SUCCEEDED');
    expect(seen.map(({ text }) => text).join('')).toBe(generation.text);
  });
});
