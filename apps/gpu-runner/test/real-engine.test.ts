import { JOB_COUNT_TOKENS, QUEUE_PREFIX, tokenCountQueue, type AdapterRef, type GenerationJob, type PromptEvent, type TokenCount, type TokenCountJob, type TokenLogprob } from '@aril/contracts';
import { Queue, QueueEvents } from 'bullmq';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '@aril/local-services';
import { aJob, BASE_MODEL_ID, eventually, World } from './support/fixtures.js';
import { RunnerProcess } from './support/runners.js';

/** Whole runner processes (`dist/main.js`) with the native engine and a tiny model that tells stories. */
const MODEL_DIR = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages/sgmv-native/test/fixtures/stories260k');
const environment = { MODEL_DIR, ENGINE_THREADS: '1', KV_BYTES: String(64 << 20), MAX_BATCH: '16' };

let world: World;
let processes: RunnerProcess[] = [];
let adapters: Record<'a' | 'b', AdapterRef>;
beforeAll(async () => {
  world = await World.create();
  adapters = { a: await upload('a'), b: await upload('b') };
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  processes = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

async function upload(name: string): Promise<AdapterRef> {
  const folder = path.join(MODEL_DIR, 'adapters', name);
  const config: unknown = JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8'));
  return world.putAdapter(config, await readFile(path.join(folder, 'adapter_model.safetensors')));
}

async function start(changes: Record<string, string> = {}): Promise<RunnerProcess> {
  const started = await RunnerProcess.start(world, 'real', { ...environment, ...changes });
  processes.push(started);
  return started;
}

/** The same request under a new name. */
const again = (job: GenerationJob): GenerationJob => ({ ...job, generationId: aJob().generationId });

/** A runner whose steps are long enough for a kill to hit a generation in its middle: sixty others are under way. */
async function startBusy(): Promise<RunnerProcess> {
  const busy = await start({ MAX_BATCH: '128' });
  const others = Array.from({ length: 60 }, (_, seed) => aJob({ sampling: { maxTokens: 450, temperature: 1, seed, ignoreEos: true } }));
  await Promise.all(others.map((job) => world.enqueue(job)));
  return busy;
}

/** Greedy and seeded, base and both adapters, prompts and messages. */
function mixedJobs(count: number, maxTokens: number): GenerationJob[] {
  const choices = [null, adapters.a, adapters.b];
  return Array.from({ length: count }, (_, index) =>
    aJob({
      adapter: choices[index % 3] ?? null,
      input:
        index % 4 === 3
          ? { kind: 'messages', messages: [{ role: 'user', content: `A story about ${index} birds` }] }
          : { kind: 'prompt', prompt: `Once upon a time, ${index} little birds` },
      sampling: { maxTokens, temperature: index % 2 ? 0.8 : 0, topP: 0.95, seed: index, ignoreEos: true },
    }),
  );
}

async function run(jobs: GenerationJob[]): Promise<{ text: string; tokens: number[] }[]> {
  await Promise.all(jobs.map((job) => world.enqueue(job)));
  return Promise.all(
    jobs.map(async (job) => {
      const settlement = await world.settlement(job.generationId);
      expect(settlement).toMatchObject({ error: null, finishReason: 'length', completionTokens: job.sampling.maxTokens });
      expect(await world.text(job.generationId)).toBe(settlement.text);
      return { text: settlement.text, tokens: await world.tokens(job.generationId) };
    }),
  );
}

describe('the native engine behind the runner', () => {
  it('gives each request the same alone and among others, and each adapter its own', async () => {
    await start();
    const jobs = mixedJobs(9, 60);
    const together = await run(jobs);
    for (const [index, job] of jobs.entries()) expect(await run([again(job)])).toEqual([together[index]]);
    const same = (adapter: AdapterRef | null): GenerationJob => aJob({ adapter, sampling: { maxTokens: 40, ignoreEos: true } });
    const outputs = await run([same(null), same(adapters.a), same(adapters.b)]);
    expect(new Set(outputs.map((output) => output.text)).size).toBe(3);
    expect(outputs[0]?.text).toMatch(/[a-z]+ [a-z]+ [a-z]+/);
  });

  it('counts the tokens of a prompt without running it, and says why it cannot', async () => {
    await start();
    const connection = world.redis.duplicate({ maxRetriesPerRequest: null });
    const queue = new Queue<TokenCountJob, TokenCount>(tokenCountQueue(BASE_MODEL_ID), { connection, prefix: QUEUE_PREFIX });
    const events = new QueueEvents(queue.name, { connection, prefix: QUEUE_PREFIX, lastEventId: '0-0' });
    const count = async (input: TokenCountJob['input']): Promise<TokenCount> => {
      const answer = new Promise<unknown>((resolve) => void events.once('completed', ({ returnvalue }) => resolve(returnvalue)));
      await queue.add(JOB_COUNT_TOKENS, { version: 1, input });
      return (await answer) as TokenCount;
    };
    try {
      for (const job of mixedJobs(4, 1)) {
        await run([job]);
        expect(await count(job.input)).toEqual({ tokens: (await world.settlement(job.generationId)).promptTokens });
      }
      expect(await count({ kind: 'tokens', tokens: [1, 2, 3] })).toEqual({ tokens: 3 });
      expect(await count({ kind: 'prompt', prompt: 'once '.repeat(100_000) })).toMatchObject({ error: { code: 'CONTEXT_TOO_LONG' } });
    } finally {
      await Promise.all([queue.close(), events.close()]);
      connection.disconnect();
    }
  });

  it('stops at stop strings and reports what it counted', async () => {
    await start();
    const [whole] = await run([aJob({ sampling: { maxTokens: 60, ignoreEos: true } })]);
    const stop = whole?.text.slice(30, 35) ?? '';
    const job = aJob({ sampling: { maxTokens: 60, ignoreEos: true, stop: [stop] } });
    await world.enqueue(job);
    const settlement = await world.settlement(job.generationId);
    expect(settlement.finishReason).toBe('stop');
    expect(settlement.text).toBe(whole?.text.slice(0, whole.text.indexOf(stop)));
    expect(settlement.completionTokens).toBe((await world.tokens(job.generationId)).length);
    expect((await world.events(job.generationId)).at(-1)).toMatchObject({ type: 'end', stop });
  });

  it('fails requests it cannot serve, each with its own code, and serves the rest', async () => {
    await start();
    const garbage = await world.putAdapter({ peft_type: 'LORA', r: 4, target_modules: ['q_proj'] }, Buffer.alloc(64, 1));
    const cases: [GenerationJob, string][] = [
      [aJob({ adapter: garbage }), 'ADAPTER_LOAD_FAILED'],
      [aJob({ input: { kind: 'prompt', prompt: 'word '.repeat(2000) } }), 'CONTEXT_TOO_LONG'],
      [aJob({ input: { kind: 'tokens', tokens: [99_999_999] } }), 'BAD_INPUT'],
    ];
    const sound = aJob({ sampling: { ignoreEos: true } });
    for (const [job] of cases) await world.enqueue(job);
    await world.enqueue(sound);
    for (const [job, code] of cases) {
      const settlement = await world.settlement(job.generationId);
      expect(settlement).toMatchObject({ finishReason: 'error', error: { code }, completionTokens: 0 });
      expect(settlement.error?.message).not.toContain(world.dir);
    }
    expect((await world.settlement(sound.generationId)).error).toBeNull();
  });

  it('killed mid-stream: another runner finishes with what an uninterrupted run gives', async () => {
    const jobs = mixedJobs(24, 300);
    const victim = await start();
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    // Of several: the first may be well ahead of those whose adapters are loaded first.
    await Promise.all(jobs.slice(0, 8).map((job) => world.untilTokens(job.generationId, 5)));
    await victim.kill();
    const cut = await Promise.all(jobs.map(async (job) => (await world.tokens(job.generationId)).length));
    await start();
    const resumed = await Promise.all(
      jobs.map(async (job) => {
        const { text } = await world.settlement(job.generationId);
        expect(await world.text(job.generationId)).toBe(text);
        return { text, tokens: await world.tokens(job.generationId) };
      }),
    );
    // The kill must have hit generations in the middle, or this proves nothing.
    expect(cut.filter((count) => count > 0 && count < 300).length).toBeGreaterThan(3);
    const uninterrupted = await run(jobs.map(again));
    expect(resumed).toEqual(uninterrupted);
  });

  it('gives every choice what it would give without a kill, with the same log probabilities', async () => {
    const job = aJob({ n: 3, logprobs: 2, adapter: adapters.a, sampling: { maxTokens: 300, temperature: 0.9, seed: 5, ignoreEos: true } });
    const victim = await startBusy();
    await world.enqueue(job);
    await world.untilTokens(job.generationId, 5);
    await victim.kill();
    const cut = (await world.tokens(job.generationId)).length;
    await start();
    const resumed = await choicesOf(job);
    expect(cut).toBeLessThan(300);
    expect(resumed).toEqual(await choicesOf(again(job), { enqueue: true }));
    expect(new Set(resumed.map(({ text }) => text)).size).toBe(3);
    for (const { text, logprobs } of resumed) {
      expect(logprobs).toHaveLength(300);
      expect(logprobs.map((scored) => scored.text).join('')).toBe(text);
      expect(logprobs.every(({ top, logprob }) => top.length === 2 && logprob <= 0)).toBe(true);
    }
  });

  it('scores a prompt as it scored the same tokens when it chose them', async () => {
    await start();
    const job = aJob({ n: 2, logprobs: 2, echo: true, adapter: adapters.a, sampling: { maxTokens: 40, temperature: 0.9, seed: 5, ignoreEos: true } });
    const [whole] = await choicesOf(job, { enqueue: true });
    const { text, opening, logprobs } = await promptOf(job);
    expect(text).toBe('Once upon a time');
    expect(text.startsWith(opening) || opening.startsWith('<')).toBe(true);
    const generated = await world.tokens(job.generationId);
    const tokens = [...(logprobs ?? []).map(({ token }) => token), ...generated];
    // The first token is the model's own beginning, which the text does not show.
    const scored = aJob({ input: { kind: 'tokens', tokens: [1, ...tokens] }, logprobs: 2, echo: true, adapter: adapters.a, sampling: { maxTokens: 1 } });
    await world.enqueue(scored);
    expect((await world.settlement(scored.generationId)).cachedTokens).toBe(0);
    expect((await promptOf(scored)).logprobs).toEqual([...(logprobs ?? []), ...(whole?.logprobs ?? [])]);
  });

  it('scores a prompt without a token after it, whole and for each choice', async () => {
    await start();
    const job = (maxTokens: number) => aJob({ n: 2, logprobs: 2, echo: true, adapter: adapters.a, sampling: { maxTokens, minTokens: 0 } });
    const [none, one] = [job(0), job(1)];
    for (const each of [none, one]) await world.enqueue(each);
    expect(await world.settlement(none.generationId)).toMatchObject({ finishReason: 'length', promptTokens: (await world.settlement(one.generationId)).promptTokens, completionTokens: 0, text: '' });
    expect(await choicesOf(none)).toEqual([0, 1].map(() => ({ text: '', logprobs: [] })));
    expect((await promptOf(none)).logprobs).toEqual((await promptOf(one)).logprobs);
    expect(await choicesOf(one)).toMatchObject([0, 1].map(() => ({ logprobs: [expect.anything()] as unknown[] })));
  });

  async function promptOf(job: GenerationJob): Promise<PromptEvent> {
    const [first] = await world.events(job.generationId);
    if (first?.type !== 'prompt') throw new Error(`expected the prompt, found ${first?.type}`);
    return first;
  }

  async function choicesOf(job: GenerationJob, { enqueue } = { enqueue: false }): Promise<{ text: string; logprobs: TokenLogprob[] }[]> {
    if (enqueue) await world.enqueue(job);
    const { choices, completionTokens } = await world.settlement(job.generationId);
    expect(completionTokens).toBe(job.n * job.sampling.maxTokens);
    const events = await world.events(job.generationId);
    return (choices ?? []).map(({ text }, choice) => ({
      text,
      logprobs: events.flatMap((event) => (event.type === 'tokens' && event.choice === choice ? (event.logprobs ?? []) : [])),
    }));
  }

  it('gives answers that match their constraint, over a kill too, and refuses one that is none', async () => {
    const victim = await startBusy();
    const sampling = { maxTokens: 400, temperature: 1, seed: 3 };
    const spelled = aJob({ n: 2, sampling, constraint: { type: 'regex', pattern: '[a-z ]{300}' } });
    const schema = { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'], additionalProperties: false };
    const json = aJob({ n: 2, sampling, constraint: { type: 'jsonSchema', schema } });
    const broken = aJob({ sampling, constraint: { type: 'regex', pattern: '(' } });
    await Promise.all([spelled, json, broken].map((job) => world.enqueue(job)));
    await world.untilTokens(spelled.generationId, 20);
    await victim.kill();
    const cut = (await world.text(spelled.generationId)).length;
    await start();
    expect(cut).toBeLessThan(300);
    const { choices } = await world.settlement(spelled.generationId);
    for (const choice of choices ?? []) expect(choice).toMatchObject({ text: expect.stringMatching(/^[a-z ]{300}$/) as string, finishReason: 'stop' });
    const undisturbed = again(spelled);
    await world.enqueue(undisturbed);
    expect((await world.settlement(undisturbed.generationId)).choices).toEqual(choices);
    for (const { text } of (await world.settlement(json.generationId)).choices ?? []) {
      expect(JSON.parse(text)).toEqual({ a: expect.any(Boolean) as boolean });
    }
    expect(await world.settlement(broken.generationId)).toMatchObject({ error: { code: 'CONSTRAINT_INVALID' }, completionTokens: 0 });
  });

  it('finds a prompt computed for the tenant that sent it, and for no other', async () => {
    await start();
    const prompt = { kind: 'prompt' as const, prompt: 'Once upon a time there was a little bird. '.repeat(6) };
    const cachedFor = async (tenantId: string): Promise<number> => {
      const job = aJob({ tenantId, input: prompt });
      await world.enqueue(job);
      return (await world.settlement(job.generationId)).cachedTokens;
    };
    const [one, other] = [randomUUID(), randomUUID()];
    expect(await cachedFor(one)).toBe(0);
    expect(await cachedFor(other)).toBe(0);
    expect(await cachedFor(one)).toBeGreaterThan(16);
  });

  it('gives the same answers with a prediction, over a kill too, and counts what of it came true', async () => {
    const sampling = { maxTokens: 300, temperature: 1, seed: 5, ignoreEos: true };
    const plain = aJob({ n: 2, sampling });
    const port = await freePort();
    const watched = await start({ METRICS_PORT: String(port), DRAFT_TOKENS: '12' });
    const counted = async (name: string): Promise<number> => Number(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())?.[1]);
    await world.enqueue(plain);
    const { text, choices } = await world.settlement(plain.generationId);
    const predicted: GenerationJob = { ...again(plain), prediction: text.replaceAll('the ', 'a ') };
    await world.enqueue(predicted);
    const settlement = await world.settlement(predicted.generationId);
    expect(settlement).toMatchObject({ text, choices });
    const { accepted, rejected } = settlement.predictionTokens ?? { accepted: 0, rejected: 0 };
    expect(accepted).toBeGreaterThan(100);
    expect(rejected).toBeGreaterThan(100); // of the second choice
    expect(settlement.completionTokens).toBe(600);
    expect((await world.settlement(plain.generationId)).predictionTokens).toBeUndefined();
    const verified = await counted('aril_engine_accepted_tokens_total');
    expect(verified).toBeGreaterThan(100);
    expect(await counted('aril_engine_drafted_tokens_total')).toBeGreaterThan(verified);
    await watched.kill();

    const victim = await startBusy();
    const cut = again(predicted);
    await world.enqueue(cut);
    await world.untilTokens(cut.generationId, 20);
    await victim.kill();
    await start();
    expect(await world.settlement(cut.generationId)).toMatchObject({ text, choices, predictionTokens: { accepted, rejected } });
  });

  it('obeys penalties, biases and the least number of tokens', async () => {
    await start();
    const sampling = { maxTokens: 40, ignoreEos: true };
    const [plain] = await run([aJob({ sampling })]);
    const first = plain?.tokens[0] ?? 0;
    const [banned] = await run([aJob({ sampling: { ...sampling, logitBias: { [first]: -100 } } })]);
    expect(banned?.tokens).not.toContain(first);
    const repeats = (tokens: number[] = []): number => tokens.length - new Set(tokens).size;
    const [penalized] = await run([aJob({ sampling: { ...sampling, frequencyPenalty: 2, presencePenalty: 2, repetitionPenalty: 1.5 } })]);
    expect(repeats(penalized?.tokens)).toBeLessThan(repeats(plain?.tokens));
    const [second] = await run([aJob({ sampling: { ...sampling, stopTokens: plain?.tokens ?? [], minTokens: 40 } })]);
    expect(second?.tokens).toHaveLength(40);
  });

  it('answers health checks and drains on SIGTERM', async () => {
    const port = await freePort();
    const leaving = await start({ HEALTH_PORT: String(port) });
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    const jobs = mixedJobs(12, 300);
    await Promise.all(jobs.map((job) => world.enqueue(job)));
    await world.untilTokens(jobs[0]?.generationId ?? '', 3);
    leaving.signal('SIGTERM');
    expect(await leaving.exited()).toBe(0);
    await start();
    await eventually('every end', 30_000, async () => {
      const ends = await Promise.all(jobs.map((job) => world.settlement(job.generationId)));
      return ends.every((end) => end.finishReason === 'length' && end.completionTokens === 300) ? true : null;
    });
  });

  it('says what is wrong when it cannot start', async () => {
    await expect(start({ MODEL_DIR: '/nonexistent' })).rejects.toThrow(/nonexistent/);
    await expect(start({ MAX_BATCH: 'many' })).rejects.toThrow(/MAX_BATCH/);
  });
});
