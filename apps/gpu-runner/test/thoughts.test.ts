/** Whole runner processes with the native engine and a tiny model that thinks. */
import type { GenerationJob } from '@aril/contracts';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aJob, World } from './support/fixtures.js';
import { aChat, runChat } from './support/chats.js';
import { RunnerProcess } from './support/runners.js';
import { GEMMA, makeGemma, makeThinkingModel, THINK, THINK_END, TOOL_CALLS } from './support/thinking-model.js';

const STORIES = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages/sgmv-native/test/fixtures/stories260k');

let world: World;
let processes: RunnerProcess[] = [];
let opens: string;
let mayThink: string;
let gemma: string;
beforeAll(async () => {
  world = await World.create();
  opens = await makeThinkingModel(STORIES, path.join(world.dir, 'opens'), { thinks: true });
  mayThink = await makeThinkingModel(STORIES, path.join(world.dir, 'may-think'), { thinks: false });
  gemma = await makeGemma(STORIES, path.join(world.dir, 'gemma'));
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  processes = [];
  await world.redis.flushall();
});
afterAll(() => world.destroy());

async function start(model: string): Promise<RunnerProcess> {
  const started = await RunnerProcess.start(world, 'real', { MODEL_DIR: model, ENGINE_THREADS: '1', KV_BYTES: String(32 << 20), MAX_BATCH: '8' });
  processes.push(started);
  return started;
}

const run = (job: GenerationJob) => runChat(world, job);

/** Likely to end its thought after some tokens, and sure to answer with a yes or a no. */
const ANSWER = { type: 'regex' as const, pattern: '(yes|no)' };
const soon = (seed: number) => ({ temperature: 1, seed, maxTokens: 300, logitBias: { [THINK_END]: 22, [THINK]: -100, [TOOL_CALLS]: -100 } });

describe('a thought', () => {
  it('that the prompt has begun is told with its mark, counted, and followed by what the constraint says', async () => {
    await start(opens);
    for (const seed of [1, 2, 3]) {
      const { settlement, tokens, text } = await run(aChat({ constraint: ANSWER, sampling: soon(seed) }));
      expect(text).toMatch(/^<think>[^]*<\/think>\n{0,2} ?(yes|no)$/);
      expect(settlement).toMatchObject({ finishReason: 'stop', reasoningTokens: tokens.indexOf(THINK_END) + 1 });
    }
  });

  it('that is not wanted is none: the constraint holds from the first token on', async () => {
    await start(opens);
    const { settlement, text } = await run(aChat({ asked: { templateOptions: { enable_thinking: false } }, constraint: ANSWER, sampling: soon(1) }));
    expect(text).toMatch(/^(yes|no)$/);
    expect(settlement.reasoningTokens ?? 0).toBe(0);
  });

  it('that never ends is all of the answer, and a stop string ends it too', async () => {
    await start(opens);
    const never = { maxTokens: 30, temperature: 1, seed: 5, ignoreEos: true, logitBias: { [THINK_END]: -100, [TOOL_CALLS]: -100 } };
    const { settlement, text } = await run(aChat({ sampling: never }));
    expect(settlement).toMatchObject({ finishReason: 'length', completionTokens: 30, reasoningTokens: 30 });
    expect(text).toMatch(/^<think>/);
    const stop = text.slice(30, 34);
    const stopped = await run(aChat({ sampling: { ...never, stop: [stop] } }));
    expect(stopped.settlement).toMatchObject({ finishReason: 'stop', reasoningTokens: stopped.tokens.length });
    expect(stopped.text).toBe(text.slice(0, '<think>'.length + text.slice('<think>'.length).indexOf(stop)));
  });

  it('that the model begins is counted from its mark on', async () => {
    await start(mayThink);
    const pattern = aChat({ constraint: { type: 'regex', pattern: '<think>(a|b){5}</think>yes' }, sampling: { maxTokens: 60 } });
    const asked = await run({ ...pattern, constraint: ANSWER, sampling: { ...pattern.sampling, ...soon(2), logitBias: { [THINK]: 100, [THINK_END]: 95 } } });
    expect(asked.text).toMatch(/^<think>[^]*<\/think>\n{0,2} ?(yes|no)$/);
    expect(asked.settlement.reasoningTokens).toBe(asked.tokens.indexOf(THINK_END) + 1);
    const plain = await run(aChat({ constraint: ANSWER, sampling: soon(1) }));
    expect(plain.text).toMatch(/^(yes|no)$/);
  });

  it('may come before a call that must be made', async () => {
    await start(opens);
    const schema = { $defs: { now: { type: 'object', properties: { zone: { enum: ['utc', 'local'] } }, required: ['zone'], additionalProperties: false } } };
    const constraint = { type: 'calls' as const, schema, functions: ['now'], required: true, parallel: false };
    const { text } = await run(aChat({ asked: { tools: [{ name: 'now' }] }, constraint, sampling: soon(2) }));
    expect(text).toMatch(/<\/think>[^]*("name": "now", "(arguments|parameters)": |now(\[ARGS\])?)\{"zone": "(utc|local)"\}/);
  });

  it('goes on where its runner died, with its mark told once and the same tokens counted', async () => {
    const victim = await start(opens);
    const sampling = { ...soon(7), minTokens: 0, logitBias: { [THINK_END]: 3, [THINK]: -100, [TOOL_CALLS]: -100 }, maxTokens: 400 };
    const job = aChat({ n: 2, constraint: ANSWER, sampling });
    await world.enqueue(job);
    const before = await world.untilTokens(job.generationId, 3);
    expect(before).not.toContain(THINK_END);
    await victim.kill();
    await start(opens);
    const { choices, reasoningTokens } = await world.settlement(job.generationId);
    const undisturbed = { ...job, generationId: randomUUID() };
    await world.enqueue(undisturbed);
    const whole = await world.settlement(undisturbed.generationId);
    expect({ choices, reasoningTokens }).toEqual({ choices: whole.choices, reasoningTokens: whole.reasoningTokens });
    for (const { text } of choices ?? []) expect(text.match(/<think>/g)).toHaveLength(1);
  });
});

describe("a thought of Gemma's", () => {
  const on = { templateOptions: { enable_thinking: true } };
  const soonOf = (bias: Record<number, number>) => ({ temperature: 1, seed: 2, maxTokens: 300, logitBias: { [GEMMA.BEGIN]: 95, [GEMMA.END]: 100, ...bias } });

  it('is told in the usual marks, counted, and followed by what the constraint says', async () => {
    await start(gemma);
    const { text, tokens, settlement } = await run(aChat({ asked: on, constraint: ANSWER, sampling: soonOf({}) }));
    expect(text).toMatch(/^<think>[^]*<\/think>\n{0,2} ?(yes|no)$/);
    expect(settlement).toMatchObject({ finishReason: 'stop', reasoningTokens: tokens.indexOf(GEMMA.END) + 1 });
  });

  it('may come before a call in its form', async () => {
    await start(gemma);
    const schema = { $defs: { now: { type: 'object', properties: { zone: { enum: ['utc', 'local'] } }, required: ['zone'], additionalProperties: false } } };
    const constraint = { type: 'calls' as const, schema, functions: ['now'], required: true, parallel: false };
    const { text } = await run(aChat({ asked: { ...on, tools: [{ name: 'now' }] }, constraint, sampling: soonOf({ [GEMMA.CALL]: 80 }) }));
    expect(text).toMatch(/^<think>[^]*<\/think>[^]*<\|tool_call>call:now\{"zone": "(utc|local)"\}<tool_call\|>$/);
  });

  it('is none where the prompt has an empty one: its marks are hidden then', async () => {
    await start(gemma);
    const { text, settlement } = await run(aChat({ sampling: { maxTokens: 6, ignoreEos: true, logitBias: { [GEMMA.BEGIN]: 100 } } }));
    expect({ text, thoughts: settlement.reasoningTokens ?? 0 }).toEqual({ text: '', thoughts: 0 });
  });

  it('marks of calls are text for who reads calls, and the answer ends where results are to come', async () => {
    await start(gemma);
    const of = (token: number, asked = {}) => run(aChat({ asked, sampling: { maxTokens: 3, logitBias: { [token]: 100 } } }));
    const tools = { tools: [{ name: 'now' }] };
    expect((await of(GEMMA.CALL, tools)).text).toBe('<|tool_call>'.repeat(3));
    expect((await of(GEMMA.QUOTE, tools)).text).toBe('<|"|>'.repeat(3));
    expect((await of(GEMMA.CALL)).text).toBe('');
    expect(await of(GEMMA.RESULTS, tools)).toMatchObject({ text: '', settlement: { finishReason: 'stop', completionTokens: 1 } });
  });
});

describe('a special token that spells a mark', () => {
  const sampling = { maxTokens: 6, ignoreEos: true, logitBias: { [TOOL_CALLS]: 100 } };

  it('is text only for who reads calls', async () => {
    await start(mayThink);
    const [completion, chat, withTools] = [
      await run(aJob({ sampling })),
      await run(aChat({ sampling })),
      await run(aChat({ sampling, asked: { tools: [{ name: 'now' }] } })),
    ];
    for (const { tokens } of [completion, chat, withTools]) expect(tokens).toEqual(Array(6).fill(TOOL_CALLS));
    expect([completion.text, chat.text]).toEqual(['', '']);
    expect(withTools.text).toBe('[TOOL_CALLS]'.repeat(6));
  });
});
