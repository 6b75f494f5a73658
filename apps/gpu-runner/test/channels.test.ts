/** Whole runner processes with the native engine and a tiny model that answers in channels. */
import { CHANNEL_MARKS, type GenerationJob } from '@aril/contracts';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aJob, World } from './support/fixtures.js';
import { aChat, runChat } from './support/chats.js';
import { RunnerProcess } from './support/runners.js';
import { makeModelOfChannels, MARK } from './support/thinking-model.js';

const STORIES = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages/sgmv-native/test/fixtures/stories260k');

let world: World;
let processes: RunnerProcess[] = [];
let model: string;
beforeAll(async () => {
  world = await World.create();
  model = await makeModelOfChannels(STORIES, path.join(world.dir, 'channels'));
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  processes = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

async function start(): Promise<RunnerProcess> {
  const started = await RunnerProcess.start(world, 'real', { MODEL_DIR: model, ENGINE_THREADS: '1', KV_BYTES: String(32 << 20), MAX_BATCH: '8' });
  processes.push(started);
  return started;
}

async function run(job: GenerationJob) {
  const found = await runChat(world, job);
  return { ...found, thoughts: found.settlement.reasoningTokens ?? 0 };
}

const { START, CHANNEL, MESSAGE, CONSTRAIN, END } = CHANNEL_MARKS;
const FREE = `[^${START}-${END}]*`;
const THOUGHT = `${CHANNEL}analysis${MESSAGE}${FREE}${END}${START}assistant`;
const TYPE = `(?: | ?json| ?${CONSTRAIN}json)?`;
const ANSWER = { type: 'regex' as const, pattern: '(yes|no)' };
/** Of "final", by which the tiny model would rather not begin a header. */
const F = 431;
/** Likely to begin a thought, to end it after some tokens, and to answer then. */
const soon = (seed: number) => ({ temperature: 1, seed, maxTokens: 300, logitBias: { [MARK.END]: 22, [F]: 3 } });

describe('an answer in channels', () => {
  it('has its thoughts before what the constraint says, and counts them', async () => {
    await start();
    const runs = await Promise.all([1, 2, 3, 4, 5, 6].map((seed) => run(aChat({ constraint: ANSWER, sampling: soon(seed) }))));
    const [ended, cut] = [runs.filter(({ settlement }) => settlement.finishReason === 'stop'), runs.filter(({ settlement }) => settlement.finishReason !== 'stop')];
    expect(ended.length).toBeGreaterThan(0);
    for (const { text, tokens, thoughts } of ended) {
      expect(text).toMatch(new RegExp(`^(${THOUGHT})*${CHANNEL}final${TYPE}${MESSAGE}(yes|no)$`));
      expect(thoughts).toBe(tokens.lastIndexOf(MARK.MESSAGE) + 1);
    }
    for (const { tokens, thoughts } of cut) expect(thoughts).toBe(tokens.length);
    expect(runs.some(({ text }) => text.includes('analysis'))).toBe(true);
  });

  it('calls what it must', async () => {
    await start();
    const schema = { $defs: { now: { type: 'object', properties: { zone: { enum: ['utc', 'local'] } }, required: ['zone'], additionalProperties: false } } };
    const constraint = { type: 'calls' as const, schema, functions: ['now'], required: true, parallel: false };
    const { text } = await run(aChat({ asked: { tools: [{ name: 'now' }] }, constraint, sampling: soon(2) }));
    const header = `( to=functions\\.now${CHANNEL}commentary|${CHANNEL}commentary to=functions\\.now)`;
    expect(text).toMatch(new RegExp(`^(${THOUGHT})*${header}${TYPE}${MESSAGE}\\{"zone": "(utc|local)"\\}$`));
  });

  it('is over with the tokens that end one, unless the caller wants it to go on', async () => {
    await start();
    for (const token of [MARK.CALL, MARK.RETURN]) {
      const sampling = { maxTokens: 6, logitBias: { [token]: 100 } };
      expect(await run(aChat({ sampling }))).toMatchObject({ text: '', thoughts: 0, settlement: { finishReason: 'stop', completionTokens: 1 } });
      expect(await run(aChat({ sampling: { ...sampling, ignoreEos: true } }))).toMatchObject({ text: '', settlement: { finishReason: 'length' } });
    }
  });

  it('that is cut in a thought is all thought, and a stop string ends it there too', async () => {
    await start();
    const never = { maxTokens: 60, temperature: 1, seed: 3, logitBias: { [MARK.END]: -100, [MARK.CHANNEL]: 20 } };
    const cut = await run(aChat({ constraint: ANSWER, sampling: never }));
    expect(cut).toMatchObject({ thoughts: 60, settlement: { finishReason: 'length' } });
    expect(cut.text).toMatch(new RegExp(`^${CHANNEL}analysis${MESSAGE}${FREE}$`));
    const stop = cut.text.slice(-8, -4);
    const stopped = await run(aChat({ constraint: ANSWER, sampling: { ...never, stop: [stop] } }));
    expect(stopped.text).toBe(cut.text.slice(0, cut.text.indexOf(stop)));
    expect(stopped).toMatchObject({ thoughts: stopped.tokens.length, settlement: { finishReason: 'stop' } });
  });

  it('goes on where its runner died, with the same tokens counted', async () => {
    const victim = await start();
    const sampling = { ...soon(7), logitBias: { [MARK.END]: 3 }, maxTokens: 400 };
    const job = aChat({ n: 2, constraint: ANSWER, sampling });
    await world.enqueue(job);
    await world.untilTokens(job.generationId, 3);
    await victim.kill();
    await start();
    const { choices, reasoningTokens } = await world.settlement(job.generationId);
    const undisturbed = { ...job, generationId: randomUUID() };
    await world.enqueue(undisturbed);
    const whole = await world.settlement(undisturbed.generationId);
    expect({ choices, reasoningTokens }).toEqual({ choices: whole.choices, reasoningTokens: whole.reasoningTokens });
  });
});

describe('marks of channels', () => {
  it('are hidden from completions, and in an answer that began as text', async () => {
    await start();
    const all = { maxTokens: 6, ignoreEos: true, logitBias: { [MARK.CHANNEL]: 100 } };
    expect(await run(aJob({ sampling: all }))).toMatchObject({ text: '', thoughts: 0, tokens: Array(6).fill(MARK.CHANNEL) });
    expect(await run(aChat({ sampling: all }))).toMatchObject({ text: CHANNEL.repeat(6), thoughts: 6 });
    const some = (seed: number) => aChat({ sampling: { maxTokens: 40, temperature: 1, seed, ignoreEos: true, logitBias: { [MARK.MESSAGE]: 18 } } });
    const runs = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => run(some(seed))));
    const plain = runs.filter(({ tokens }) => tokens.includes(MARK.MESSAGE) && tokens[0] !== MARK.MESSAGE);
    expect(plain.length).toBeGreaterThan(0);
    for (const { text, thoughts } of plain) expect({ marks: text.match(new RegExp(`[${START}-${END}]`)), thoughts }).toEqual({ marks: null, thoughts: 0 });
  });

  it('have their names among log probabilities', async () => {
    await start();
    const job = aChat({ logprobs: 0, sampling: { maxTokens: 1, logitBias: { [MARK.CHANNEL]: 100 } } });
    await run(job);
    const [event] = (await world.events(job.generationId)) as { logprobs?: object[] }[];
    expect(event?.logprobs).toMatchObject([{ token: MARK.CHANNEL, text: '<|channel|>', bytes: null }]);
  });
});
