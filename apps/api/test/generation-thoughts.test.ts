/** Models that think before they answer, through GraphQL. */
import { generationFenceKey, generationRunKey, generationStreamKey } from '@aril/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { all, type Event, overSse } from './event-followers.js';
import { find, generate, reasonOf, startGeneration, tryGenerate } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { ScriptedRunner, say, tell, type Script } from './scripted-runner.js';

const MESSAGES = [{ role: 'USER', content: 'How warm is it in Oslo?' }];
const CHAT = { prompt: null, messages: MESSAGES };
const THOUGHT = ['<think>', '\n', 'I', ' see', ' <b>', '.\n', '</thi', 'nk>'];

const thinking: Script = async (run) => {
  for (const text of THOUGHT) await run.think(text);
  for (const text of ['\n\n', 'Cold', '.']) await run.tokens(text);
  await run.finish('stop');
};

const partsOf = (events: Event[]) => ({ text: events.map(({ text }) => text).join(''), reasoning: events.map(({ reasoning }) => reasoning).join('') });

describe('the thoughts of a generation', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const job = () => runner.jobs.at(-1)!;
  const forget = (id: string) => runner.redis.del(generationStreamKey(id), generationFenceKey(id), generationRunKey(id));

  it('are told apart from its text, and counted', async () => {
    runner.script = thinking;
    const answer = await generate(test, one.key, CHAT);
    const choice = { text: 'Cold.', reasoning: 'I see <b>.', completionTokens: 11, reasoningTokens: 8 };
    expect(answer).toMatchObject({ ...choice, choices: [choice] });
    expect(await find(test, one.key, answer.id)).toEqual(answer);
  });

  it('are told apart while they come, and from any number on', async () => {
    runner.script = thinking;
    const { id } = await startGeneration(test, one.key, CHAT);
    const events = await all(overSse(test, one.key, id));
    expect(partsOf(events)).toEqual({ text: 'Cold.', reasoning: 'I see <b>.' });
    expect(events.at(-1)).toMatchObject({ __typename: 'GenerationEnd', completionTokens: 11, reasoningTokens: 8 });
    expect(events[2]).toMatchObject({ __typename: 'GenerationTokens', seq: 3, text: '', reasoning: 'I', tokenCount: 1 });
    for (const { seq } of events) expect(await all(overSse(test, one.key, id, seq))).toEqual(events.slice(seq));
  });

  it('are told the same from the row, when its events are gone', async () => {
    runner.script = thinking;
    const { id } = await generate(test, one.key, CHAT);
    await forget(id);
    expect(await all(overSse(test, one.key, id))).toMatchObject([{ __typename: 'GenerationEnd', text: 'Cold.', reasoning: 'I see <b>.', reasoningTokens: 8 }]);
  });

  it('are those of their choice', async () => {
    runner.script = async (run) => {
      for (const choice of [0, 1]) for (const text of ['<think>', `${choice}`, '</think>']) await run.think(text, choice);
      await run.tokens('<think>c', 1, 2);
      await run.tokens('b', 1, 1);
      await run.endChoice(2, 'stop');
      await run.endChoice(0, 'stop', 'a');
      await run.finish('length');
    };
    const expected = [
      { text: 'a', reasoning: '0', reasoningTokens: 3 },
      { text: 'b', reasoning: '1', reasoningTokens: 3 },
      { text: '<think>c', reasoning: null, reasoningTokens: 0 },
    ];
    const answer = await generate(test, one.key, { ...CHAT, n: 3 });
    expect(answer).toMatchObject({ text: 'a', reasoning: '0', reasoningTokens: 6, choices: expected });
    for (const lost of [false, true]) {
      if (lost) await forget(answer.id);
      const events = await all(overSse(test, one.key, answer.id));
      for (const [choice, { text, reasoning }] of expected.entries()) {
        expect(partsOf(events.filter((event) => event.choice === choice))).toEqual({ text, reasoning: reasoning ?? '' });
      }
    }
  });

  it('may never end', async () => {
    runner.script = async (run) => {
      for (const text of ['<think>', 'On', ' and', ' on', ' </th']) await run.think(text);
      await run.finish('length');
    };
    const answer = await generate(test, one.key, CHAT);
    expect(answer).toMatchObject({ text: '', reasoning: 'On and on </th', finishReason: 'LENGTH' });
    expect(partsOf(await all(overSse(test, one.key, answer.id)))).toEqual({ text: '', reasoning: 'On and on </th' });
  });

  it('are none where the model has none, whatever it writes', async () => {
    runner.script = say('<think>', 'a', '</think>b');
    const answer = await generate(test, one.key, { prompt: 'Oslo' });
    expect(answer).toMatchObject({ text: '<think>a</think>b', reasoning: null, reasoningTokens: 0 });
    expect(partsOf(await all(overSse(test, one.key, answer.id)))).toEqual({ text: '<think>a</think>b', reasoning: '' });
  });

  it('are not there before the end', async () => {
    await runner.pause();
    expect(await startGeneration(test, one.key, CHAT)).toMatchObject({ text: null, reasoning: null, reasoningTokens: null, choices: null });
    await runner.resume();
  });

  it("of earlier answers are given to the template, and are an assistant's alone", async () => {
    const said = { role: 'ASSISTANT', content: 'Cold.', reasoning: 'I see.' };
    await generate(test, one.key, { prompt: null, messages: [...MESSAGES, said, { role: 'USER', content: 'Why?', reasoning: null }] });
    expect(job().input).toMatchObject({ messages: [{}, { role: 'assistant', content: 'Cold.', reasoning: 'I see.' }, { role: 'user' }] });
    const refused = await tryGenerate(test, one.key, { prompt: null, messages: [{ role: 'USER', content: 'Why?', reasoning: 'hm' }] });
    expect([reasonOf(refused), refused.errors?.[0]?.message]).toEqual(['BAD_INPUT', expect.stringContaining('messages.0.reasoning: expected it in messages of the ASSISTANT alone')]);
  });
});
