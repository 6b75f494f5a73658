import { aJob, eventually, World } from './support/fixtures.js';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { ModelTokenizer } from '@aril/sgmv-native';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Tokenizing, SHORT_MAX } from '../src/engine/tokenizing.js';
import { RunnerProcess } from './support/runners.js';

/** Tokenizing does not hold up anybody else: threads, what is refused before, what is let go. */
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const STORIES = path.join(root, 'packages/sgmv-native/test/fixtures/stories260k');
/** Only its tokenizer: the weights are not in the repository. */
const SMOLLM2 = path.join(root, 'models/smollm2-135m-instruct');
const prompt = (text: string) => ({ kind: 'prompt' as const, prompt: text });

const opened: Tokenizing[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((tokenizing) => tokenizing.close()));
});

async function open(modelDir = SMOLLM2, positions = 1e9): Promise<{ tokenizing: Tokenizing; tokenizer: ModelTokenizer }> {
  const tokenizer = await ModelTokenizer.load(modelDir);
  const tokenizing = new Tokenizing({ modelDir, positions }, tokenizer.floor());
  opened.push(tokenizing);
  return { tokenizing, tokenizer };
}

/** The longest time that the event loop did not come round. */
async function stallMsDuring<T>(work: () => Promise<T>): Promise<{ stallMs: number; result: T }> {
  let [stallMs, last] = [0, performance.now()];
  const timer = setInterval(() => {
    stallMs = Math.max(stallMs, performance.now() - last);
    last = performance.now();
  }, 5);
  try {
    return { result: await work(), stallMs };
  } finally {
    clearInterval(timer);
  }
}

describe('tokenizing', () => {
  it('gives the tokens that the tokenizer gives, short and long, prompts and messages', async () => {
    const { tokenizing, tokenizer } = await open();
    for (const text of ['Once upon a time', 'word '.repeat(SHORT_MAX)]) {
      expect(await tokenizing.encode(prompt(text))).toEqual(tokenizer.encode(text));
      const messages = [{ role: 'user' as const, content: text }];
      expect(await tokenizing.encode({ kind: 'messages', messages })).toEqual(tokenizer.chat(messages));
    }
    expect(await tokenizing.encode({ kind: 'tokens', tokens: [3, 1] })).toEqual([3, 1]);
  });

  it('tells the model of tools, and of what they gave', async () => {
    const { tokenizing, tokenizer } = await open(SMOLLM2, 8192);
    const tools = [{ name: 'now', description: 'The time' }];
    const messages = [
      { role: 'user' as const, content: 'When?' },
      { role: 'assistant' as const, content: '', toolCalls: [{ id: 'a', name: 'now', arguments: {} }] },
      { role: 'tool' as const, content: '12:00', toolCallId: 'a', toolName: 'now' },
    ];
    const tokens = await tokenizing.encode({ kind: 'messages', messages, tools });
    expect(tokens).toEqual(tokenizer.chat(messages, tools));
    const text = tokenizer.decode(tokens);
    for (const part of ['"The time"', '{"name":"now","arguments":{}}', '<tool_response>\n12:00']) expect(text).toContain(part);
  });

  it('leaves the event loop and short prompts free while a long one is tokenized', async () => {
    const { tokenizing } = await open();
    await tokenizing.encode(prompt('warm'));
    const began = performance.now();
    let longMs = 0;
    const long = tokenizing.encode(prompt('a'.repeat(300_000))).then((tokens) => ((longMs = performance.now() - began), tokens));
    const { stallMs } = await stallMsDuring(async () => {
      for (let i = 0; i < 20; i++) await tokenizing.encode(prompt(`Once upon a time ${i}`));
    });
    expect(longMs).toBe(0);
    expect(await long).toHaveLength(75_000);
    expect(stallMs).toBeLessThan(longMs / 2);
  });

  it('refuses at once what cannot fit, and never what can', async () => {
    const { tokenizing, tokenizer } = await open(SMOLLM2, 8192);
    await expect(tokenizing.encode(prompt('a'.repeat(4e6)))).rejects.toMatchObject({
      engineCode: 'context_too_long',
      error: { code: 'CONTEXT_TOO_LONG', message: expect.stringMatching(/4000000 bytes.*at least \d+ tokens.*8191/) as string },
    });
    const messages = [{ role: 'user' as const, content: 'a'.repeat(4e6) }];
    const began = performance.now();
    await expect(tokenizing.encode({ kind: 'messages', messages })).rejects.toMatchObject({ error: { code: 'CONTEXT_TOO_LONG' } });
    // Tokenized, it would take far longer; most of this is the thread's start.
    expect(performance.now() - began).toBeLessThan(15_000);
    // Of a run of one letter the longest token has 81; those that no token has the tokenizer drops.
    for (const text of ['='.repeat(300_000), '\u0004'.repeat(300_000)]) {
      expect((await tokenizing.encode(prompt(text))).length, JSON.stringify(text[0])).toBeLessThan(8192);
      expect(tokenizer.floor().of(text)).toBeLessThan(8192);
    }
  });

  it('lets go at once of what is aborted, and does not tokenize what waited', async () => {
    const { tokenizing } = await open();
    const [first, second] = [new AbortController(), new AbortController()];
    const running = tokenizing.encode(prompt('a'.repeat(3_000_000)), first.signal);
    const waiting = tokenizing.encode(prompt('b'.repeat(3_000_000)), second.signal);
    await delay(300);
    const began = performance.now();
    second.abort(new Error('second'));
    await expect(waiting).rejects.toThrow('second');
    first.abort(new Error('first'));
    await expect(running).rejects.toThrow('first');
    expect(performance.now() - began).toBeLessThan(5_000);
    await expect(tokenizing.encode(prompt('c'), AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    // Neither holds up the next: the thread that was at the first is ended, the second is not begun.
    expect((await tokenizing.encode(prompt('word '.repeat(SHORT_MAX)))).length).toBeGreaterThan(SHORT_MAX - 2);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it('fails what a dead thread was at so that it can be tried again, and starts another', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'tokenizing-'));
    try {
      await cp(STORIES, dir, { recursive: true });
      const { tokenizing } = await open(dir);
      await tokenizing.encode(prompt('warm'));
      // The long lane has not begun: without its file its thread dies as it starts.
      await rename(path.join(dir, 'tokenizer.json'), path.join(dir, 'away'));
      const long = prompt('word '.repeat(SHORT_MAX));
      await expect(tokenizing.encode(long)).rejects.toMatchObject({ engineCode: 'tokenizer_failed', error: { code: 'OVERLOADED' } });
      await rename(path.join(dir, 'away'), path.join(dir, 'tokenizer.json'));
      expect((await tokenizing.encode(long)).length).toBeGreaterThan(SHORT_MAX);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('ends what is left as closed', async () => {
    const { tokenizing } = await open();
    const left = [prompt('a'.repeat(1e6)), prompt('b'.repeat(1e6))].map((input) => tokenizing.encode(input).catch((error: unknown) => error));
    await tokenizing.close();
    for (const error of await Promise.all(left)) expect(error).toMatchObject({ engineCode: 'closed' });
    await expect(tokenizing.encode(prompt('c'))).rejects.toMatchObject({ engineCode: 'closed' });
  });
});

describe('a runner', () => {
  let world: World;
  let runner: RunnerProcess | undefined;
  beforeAll(async () => {
    world = await World.create();
  });
  afterAll(async () => {
    await runner?.kill();
    await world.destroy();
  });

  it('goes on with a stream, and keeps its jobs, while others send what is too long', async () => {
    runner = await RunnerProcess.start(world, 'real', { MODEL_DIR: STORIES, ENGINE_THREADS: '1', KV_BYTES: String(64 << 20), MAX_BATCH: '16' });
    const streamed = aJob({ n: 16, sampling: { maxTokens: 480, temperature: 1, ignoreEos: true } });
    await world.enqueue(streamed);
    await world.untilTokens(streamed.generationId, 5);
    const text = 'Once upon a time '.repeat(230_000); // 3.9 MB
    const input = [prompt(text), { kind: 'messages' as const, messages: [{ role: 'user' as const, content: text }] }];
    const tooLong = input.map((one) => aJob({ tenantId: randomUUID(), input: one }));
    for (const job of tooLong) await world.enqueue(job);
    const began = Date.now();
    const gap = await longestGapMs(streamed.generationId, () => tooLong.every(({ generationId }) => ended.has(generationId)));
    for (const job of tooLong) {
      expect(await world.settlement(job.generationId)).toMatchObject({ finishReason: 'error', error: { code: 'CONTEXT_TOO_LONG' } });
    }
    expect(gap).toBeLessThan(5_000);
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(await world.settlement(streamed.generationId)).toMatchObject({ error: null, completionTokens: 16 * 480, fence: 1 });

    async function longestGapMs(generationId: string, over: () => boolean): Promise<number> {
      let [longest, last, seen] = [0, Date.now(), 0];
      void Promise.all(tooLong.map(async (job) => (await world.settlement(job.generationId), ended.add(job.generationId))));
      await eventually('the refusals', 30_000, async () => {
        const events = await world.events(generationId);
        if (events.length > seen) [seen, last] = [events.length, Date.now()];
        if (events.at(-1)?.type !== 'end') longest = Math.max(longest, Date.now() - last);
        return over() ? true : null;
      });
      return longest;
    }
  });
  const ended = new Set<string>();
});
