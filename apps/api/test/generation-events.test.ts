import { generationFenceKey, generationRunKey, generationStreamKey } from '@aril/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { all, type Event, overSocket, overSse } from './event-followers.js';
import { generate, startGeneration } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { gate, PROMPT_TOKENS, ScriptedRunner, tell, until } from './scripted-runner.js';

const textOf = (events: Event[]): string => events.map(({ text }) => text).join('');
const seqsOf = (events: Event[]): number[] => events.map(({ seq }) => seq);

describe('generation events', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  describe.each([
    ['a WebSocket', overSocket],
    ['server-sent events', overSse],
  ])('over %s', (_, follow) => {
    it('come numbered, from the start to the end', async () => {
      const { id } = await startGeneration(test, one.key);
      const events = await all(follow(test, one.key, id));
      expect(seqsOf(events)).toEqual([1, 2, 3, 4]);
      expect(textOf(events)).toBe('Once upon a time');
      expect(events[0]).toMatchObject({ __typename: 'GenerationTokens', tokenCount: 1 });
      expect(events[3]).toMatchObject({ __typename: 'GenerationEnd', finishReason: 'STOP', promptTokens: PROMPT_TOKENS, completionTokens: 3, error: null });
    });

    it('of several choices come in one numbered sequence, and go on after any number', async () => {
      runner.script = async (run) => {
        await run.scored('a', 0);
        await run.scored('b', 1);
        await run.endChoice(0, 'stop', '!');
        await run.finish('length', null, '?');
      };
      const { id } = await generate(test, one.key, { n: 2, logprobs: 1 });
      const events = await all(follow(test, one.key, id));
      expect(events).toMatchObject([
        { __typename: 'GenerationTokens', seq: 1, choice: 0, text: 'a', logprobs: [{ text: 'a', top: [{ text: 'a' }] }] },
        { __typename: 'GenerationTokens', seq: 2, choice: 1, text: 'b' },
        { __typename: 'GenerationChoiceEnd', seq: 3, choice: 0, text: '!', finishReason: 'STOP' },
        { __typename: 'GenerationEnd', seq: 4, choice: 1, text: '?', finishReason: 'LENGTH', completionTokens: 2 },
      ]);
      expect(await all(follow(test, one.key, id, 2))).toEqual(events.slice(2));
    });

    it('come as they are written', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('first');
        await opened;
        await run.finish('stop');
      };
      const { id } = await startGeneration(test, one.key);
      const results = follow(test, one.key, id);
      expect((await results.next()).value).toMatchObject({ data: { generationEvents: { seq: 1, text: 'first' } } });
      open();
      expect(seqsOf(await all(results))).toEqual([2]);
    });

    it('go on after any number', async () => {
      const { id } = await generate(test, one.key);
      for (const after of [0, 1, 2, 3]) {
        expect(seqsOf(await all(follow(test, one.key, id, after)))).toEqual([1, 2, 3, 4].slice(after));
      }
      expect(await all(follow(test, one.key, id, 4))).toEqual([]);
      expect(await all(follow(test, one.key, id, 99))).toEqual([]);
    });

    it('are for the signed-in user too', async () => {
      const { id } = await generate(test, one.key);
      expect(textOf(await all(follow(test, one.user.cookie, id)))).toBe('Once upon a time');
    });

    it("need credentials, and are not for another tenant's eyes", async () => {
      const { id } = await generate(test, one.key);
      await expect(all(follow(test, {}, id))).rejects.toThrow('UNAUTHENTICATED');
      await expect(all(follow(test, { authorization: 'Bearer aril_wrong' }, id))).rejects.toThrow('UNAUTHENTICATED');
      await expect(all(follow(test, other.key, id))).rejects.toThrow('NOT_FOUND');
    });

    it('refuse a negative number', async () => {
      const { id } = await generate(test, one.key);
      await expect(all(follow(test, one.key, id, -1))).rejects.toThrow('BAD_INPUT');
    });

    it('stop with the client, while the generation goes on', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('first');
        await opened;
        await run.tokens(' last');
        await run.finish('stop');
      };
      const { id } = await startGeneration(test, one.key);
      const results = follow(test, one.key, id);
      await results.next();
      // It must not wait for the next event.
      await results.return?.();
      open();
      const events = await all(follow(test, one.key, id));
      expect(textOf(events)).toBe('first last');
    });
  });

  it('reach many followers at different places of many generations', async () => {
    runner.script = async (run) => {
      for (let index = 0; index < 40; index++) {
        await run.tokens(`${index} `);
        if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await run.finish('length');
    };
    const started = await Promise.all(Array.from({ length: 12 }, () => startGeneration(test, one.key)));
    const whole = Array.from({ length: 40 }, (_, index) => `${index} `).join('');
    const checks = started.flatMap(({ id }, index) =>
      [0, index, 0].map(async (after, turn) => {
        await new Promise((resolve) => setTimeout(resolve, turn * 30));
        const events = await all(overSse(test, one.key, id, after));
        expect(seqsOf(events)).toEqual(Array.from({ length: 41 - after }, (_, at) => after + at + 1));
        if (after === 0) expect(textOf(events)).toBe(whole);
      }),
    );
    await Promise.all(checks);
  });

  it('survive the loss of the connection to Redis', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('before');
      await opened;
      await run.tokens(' after');
      await run.finish('stop');
    };
    const { id } = await startGeneration(test, one.key);
    const results = overSse(test, one.key, id);
    await results.next();
    const clients = String(await runner.redis.client('LIST'));
    const reader = /id=(\d+) .*name=aril-api:streams/.exec(clients)?.[1];
    expect(await runner.redis.client('KILL', 'ID', Number(reader))).toBe(1);
    open();
    expect(textOf(await all(results))).toBe(' after');
  });

  it('are told from the row when their retention is over', async () => {
    const { id } = await generate(test, one.key);
    await runner.redis.del(generationStreamKey(id), generationFenceKey(id), generationRunKey(id));
    const events = await all(overSse(test, one.key, id));
    expect(events).toMatchObject([{ __typename: 'GenerationEnd', seq: 1, text: 'Once upon a time', finishReason: 'STOP', completionTokens: 3 }]);
    await expect(all(overSse(test, one.key, id, 2))).rejects.toThrow('CONFLICT');
  });

  it('of a generation that failed after its stream was lost end with the failure, and repeat nothing', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('before');
      await opened;
    };
    const { id } = await startGeneration(test, one.key);
    const results = overSse(test, one.key, id);
    await results.next();
    await runner.redis.del(generationStreamKey(id));
    await runner.settle({
      ...{ version: 1, generationId: id, tenantId: one.id, runnerId: 'scripted', fence: 1 },
      ...{ text: 'before', choices: null, finishReason: 'error', error: { code: 'INTERNAL', message: 'lost' } },
      ...{ promptTokens: PROMPT_TOKENS, cachedTokens: 0, completionTokens: 1 },
      ...{ timings: { queueMs: 0, ttftMs: 0, totalMs: 0 }, finishedAtMs: Date.now() },
    });
    open();
    expect(await all(results)).toMatchObject([{ __typename: 'GenerationEnd', seq: 2, text: '', error: { code: 'INTERNAL' } }]);
  });

  it('of several choices are told from the row, each choice once', async () => {
    runner.script = async (run) => {
      for (const choice of [0, 1, 2]) await run.tokens(`answer ${choice}`, 1, choice);
      await run.endChoice(1, 'length');
      await run.endChoice(0, 'stop');
      await run.finish('length');
    };
    const { id } = await generate(test, one.key, { n: 3 });
    await runner.redis.del(generationStreamKey(id), generationFenceKey(id), generationRunKey(id));
    expect(await all(overSse(test, one.key, id))).toMatchObject([
      { __typename: 'GenerationChoiceEnd', seq: 1, choice: 1, text: 'answer 1', finishReason: 'LENGTH' },
      { __typename: 'GenerationChoiceEnd', seq: 2, choice: 2, text: 'answer 2', finishReason: 'LENGTH' },
      { __typename: 'GenerationEnd', seq: 3, choice: 0, text: 'answer 0', finishReason: 'STOP', completionTokens: 3 },
    ]);
  });

  it('tell of a hole in the stream as an error, and end', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('first');
      await opened;
      run.skip();
      await run.tokens('third');
      await run.finish('stop');
    };
    const { id } = await startGeneration(test, one.key);
    const following = [overSocket, overSse].map((follow) => follow(test, one.key, id));
    for (const results of following) await results.next();
    open();
    for (const results of following) await expect(all(results)).rejects.toThrow('INTERNAL');
  });

  it('come to as many followers of a tenant as it may have answers waiting', async () => {
    const peer = await test.peer({ TENANT_WAITING_MAX: 2 });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('first');
      await opened;
      await run.finish('stop');
    };
    try {
      const { id } = await startGeneration(test, one.key);
      const [first, second] = [overSocket(peer, one.key, id), overSse(peer, one.key, id)];
      expect([await first.next(), await second.next()]).toMatchObject(Array(2).fill({ value: { data: { generationEvents: { seq: 1 } } } }));
      for (const follow of [overSocket, overSse]) await expect(all(follow(peer, one.key, id))).rejects.toThrow('RATE_LIMITED');
      // Who may not see it takes nobody's place.
      await expect(all(overSse(peer, other.key, id))).rejects.toThrow('NOT_FOUND');
      await first.return?.();
      const third = await until(async () => {
        const events = overSse(peer, one.key, id);
        return (await events.next()).value?.data ? events : null;
      });
      open();
      expect([seqsOf(await all(second)), seqsOf(await all(third))]).toEqual([[2], [2]]);
      for (let round = 0; round < 3; round++) expect(seqsOf(await all(overSse(peer, one.key, id)))).toEqual([1, 2]);
    } finally {
      await peer.stop();
    }
  });

  it('leave no reader behind', async () => {
    const { id } = await generate(test, one.key);
    await Promise.all(Array.from({ length: 20 }, () => all(overSse(test, one.key, id))));
    await until(async () => {
      const clients = String(await runner.redis.client('LIST'));
      return clients.split('\n').filter((line) => line.includes('aril-api:streams')).length === 1;
    });
  });

  it('cannot be asked for with a mutation by GET', async () => {
    const query = 'mutation { cancelGeneration(input: { generationId: "x" }) { generation { id } } }';
    const response = await fetch(`${test.url}/graphql/stream?query=${encodeURIComponent(query)}`, {
      headers: { ...one.key, accept: 'text/event-stream' },
    });
    expect(response.status).toBe(405);
  });
});
