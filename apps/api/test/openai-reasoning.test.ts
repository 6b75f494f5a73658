/** Models that think before they answer, through the official client. */
import { CHANNEL_MARKS, generationStreamKey } from '@aril/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type OpenAI from 'openai';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { ScriptedRunner, tell, until, type Script } from './scripted-runner.js';

const MESSAGES = [{ role: 'user' as const, content: 'How warm is it in Oslo?' }];
const NOW = { type: 'function' as const, function: { name: 'now' } };
const THOUGHT = ['<think>', '\n', 'I', ' see', ' <b>', '.\n', '</think>'];

const thinking =
  (...answer: string[]): Script =>
  async (run) => {
    for (const text of THOUGHT) await run.think(text);
    for (const text of answer) await run.tokens(text);
    await run.finish('stop');
  };

interface Told {
  reasoning_content?: string;
  content: string | null;
}

describe('the thoughts of the OpenAI endpoint', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let client: OpenAI;

  beforeAll(async () => {
    test = await startApp();
    const { key } = await createTenant(test);
    runner = new ScriptedRunner(test);
    client = openaiClient(test, key);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const create = (change: object = {}, headers: Record<string, string> = {}) =>
    client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, ...change, stream: false }, { headers });
  const told = (message: object | undefined): Told => message as Told;
  const job = () => runner.jobs.at(-1)!;

  async function streamed(change: object = {}, headers: Record<string, string> = {}) {
    const body = { model: TEST_MODEL, messages: MESSAGES, stream_options: { include_usage: true }, ...change, stream: true as const };
    let [reasoning, content] = ['', ''];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of await client.chat.completions.create(body, { headers })) {
      const delta = told(chunk.choices[0]?.delta);
      reasoning += delta?.reasoning_content ?? '';
      content += delta?.content ?? '';
      usage = chunk.usage ?? usage;
    }
    return { reasoning, content, usage };
  }

  it('are told apart from the answer, and counted', async () => {
    runner.script = thinking('\n\n', 'Cold', '.');
    const { choices, usage } = await create();
    expect(told(choices[0]?.message)).toMatchObject({ reasoning_content: 'I see <b>.', content: 'Cold.' });
    expect(usage).toMatchObject({ completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 7 } });
    expect(await streamed()).toMatchObject({ reasoning: 'I see <b>.', content: 'Cold.', usage: { completion_tokens_details: { reasoning_tokens: 7 } } });
  });

  it('are told the same when the stream they were in is gone', async () => {
    runner.script = thinking('\n\nCold.');
    const headers = { 'idempotency-key': 'thought-again' };
    await create({}, headers);
    const { generationId } = job();
    await until(() => runner.redis.del(generationStreamKey(generationId)));
    expect(told((await create({}, headers)).choices[0]?.message)).toMatchObject({ reasoning_content: 'I see <b>.', content: 'Cold.' });
  });

  it('may come before calls', async () => {
    runner.script = thinking('\n\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>');
    const { choices } = await create({ tools: [NOW] });
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { reasoning_content: 'I see <b>.', content: null, tool_calls: [{ function: { name: 'now' } }] } });
  });

  it("of Gemma's are without their name, before calls in its form too", async () => {
    runner.script = async (run) => {
      for (const text of ['<think>', 'thought', '\n', 'I see', ' it.\n', '</think>']) await run.think(text);
      for (const text of ['<|tool_call>', 'call', ':now', '{zone', ':<|"|>', 'utc', '<|"|>', '}', '<tool_call|>']) await run.tokens(text);
      await run.finish('stop');
    };
    const { choices, usage } = await create({ tools: [NOW] });
    const call = { function: { name: 'now', arguments: '{"zone":"utc"}' } };
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { reasoning_content: 'I see it.', content: null, tool_calls: [call] } });
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(6);
    expect(await streamed({ tools: [NOW] })).toMatchObject({ reasoning: 'I see it.', content: '' });
    const { output } = await client.responses.create({ model: TEST_MODEL, input: 'When?', tools: [{ ...NOW.function, type: 'function', parameters: null, strict: false }] });
    expect(output).toMatchObject([{ type: 'reasoning' }, { type: 'function_call', ...call.function }]);
  });

  it('may never end', async () => {
    runner.script = async (run) => {
      for (const text of ['<think>', 'On', ' and', ' on', ' </th']) await run.think(text);
      await run.finish('length');
    };
    const { choices } = await create();
    expect(choices[0]).toMatchObject({ finish_reason: 'length', message: { reasoning_content: 'On and on </th', content: null } });
    expect(await streamed()).toMatchObject({ reasoning: 'On and on </th', content: '' });
  });

  it('are none where the model has none, whatever it writes', async () => {
    runner.script = async (run) => {
      for (const text of ['<think>', 'a', '</think>b']) await run.tokens(text);
      await run.finish('stop');
    };
    expect(told((await create()).choices[0]?.message)).toMatchObject({ content: '<think>a</think>b' });
    expect(await streamed()).toMatchObject({ reasoning: '', content: '<think>a</think>b' });
  });

  it('of earlier answers are given to the template, and so is the effort', async () => {
    const past = [...MESSAGES, { role: 'assistant' as const, content: 'Cold.', reasoning_content: 'I see.' }, ...MESSAGES];
    await create({ messages: past, reasoning_effort: 'none' });
    expect(job().input).toMatchObject({ messages: [{}, { content: 'Cold.', reasoning: 'I see.' }, {}], templateOptions: { enable_thinking: false } });
    await create({ reasoning_effort: 'high' });
    expect(job().input).toMatchObject({ templateOptions: { enable_thinking: true, reasoning_effort: 'high' } });
    await create({ reasoning_effort: 'none', chat_template_kwargs: { enable_thinking: true } });
    expect(job().input).toMatchObject({ templateOptions: { enable_thinking: true } });
  });

  it('are an item of a response, with events of their own', async () => {
    runner.script = thinking('\n\n', 'Cold', '.');
    const types: string[] = [];
    let final: OpenAI.Responses.Response | undefined;
    for await (const event of await client.responses.create({ model: TEST_MODEL, input: 'Oslo?', stream: true })) {
      types.push(event.type);
      if (event.type === 'response.completed') final = event.response;
    }
    expect([...new Set(types)]).toEqual([
      ...['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.reasoning_text.delta', 'response.reasoning_text.done'],
      ...['response.content_part.done', 'response.output_item.done', 'response.output_text.delta', 'response.output_text.done', 'response.completed'],
    ]);
    const whole = await client.responses.create({ model: TEST_MODEL, input: 'Oslo?' });
    for (const response of [final, whole]) {
      expect(response).toMatchObject({
        output: [
          { type: 'reasoning', status: 'completed', summary: [], content: [{ type: 'reasoning_text', text: 'I see <b>.' }] },
          { type: 'message', content: [{ text: 'Cold.' }] },
        ],
        usage: { output_tokens_details: { reasoning_tokens: 7 } },
      });
    }
    await client.responses.create({ model: TEST_MODEL, input: [{ role: 'user', content: 'Oslo?' }, ...(whole.output as OpenAI.Responses.ResponseInputItem[]), { role: 'user', content: 'Why?' }], reasoning: { effort: 'none' } });
    expect(job().input).toMatchObject({ messages: [{}, { role: 'assistant', content: 'Cold.', reasoning: 'I see <b>.' }, { content: 'Why?' }], templateOptions: { enable_thinking: false } });
  });

  /** As gpt-oss writes it; the runner's text has characters for its special tokens. */
  describe('in channels', () => {
    const { START, CHANNEL, MESSAGE, CONSTRAIN, END } = CHANNEL_MARKS;
    const channels =
      (...spoken: string[]): Script =>
      async (run) => {
        for (const text of [CHANNEL, 'analysis', MESSAGE, 'I', ' see', '.', END, START, 'assistant', CHANNEL]) await run.think(text);
        for (const text of spoken) await run.tokens(text);
        await run.finish('stop');
      };
    const CALL = ['commentary', ' to', '=functions', '.now ', CONSTRAIN, 'json', MESSAGE, '{"a"', ': 1}'];
    const CALLED = { function: { name: 'now', arguments: '{"a": 1}' } };

    it('are told apart from the answer', async () => {
      runner.script = channels('final', MESSAGE, 'Cold', ' <|end|>.');
      const { choices, usage } = await create();
      expect(told(choices[0]?.message)).toMatchObject({ reasoning_content: 'I see.', content: 'Cold <|end|>.' });
      expect(usage?.completion_tokens_details).toEqual({ reasoning_tokens: 10 });
      expect(await streamed()).toMatchObject({ reasoning: 'I see.', content: 'Cold <|end|>.', usage: { completion_tokens_details: { reasoning_tokens: 10 } } });
    });

    it('and from calls and what is said before them, also when the stream they were in is gone', async () => {
      runner.script = channels('commentary', MESSAGE, 'I', ' look.', END, START, 'assistant', CHANNEL, ...CALL);
      const headers = { 'idempotency-key': 'channels-again' };
      const { choices } = await create({ tools: [NOW] }, headers);
      const answer = { finish_reason: 'tool_calls', message: { reasoning_content: 'I see.', content: 'I look.', tool_calls: [CALLED] } };
      expect(choices[0]).toMatchObject(answer);
      await until(() => runner.redis.del(generationStreamKey(job().generationId)));
      expect((await create({ tools: [NOW] }, headers)).choices[0]).toMatchObject(answer);
    });

    it('calls are streamed', async () => {
      runner.script = channels(...CALL);
      const stream = client.chat.completions.stream({ model: TEST_MODEL, messages: MESSAGES, tools: [NOW] });
      const { choices } = await stream.finalChatCompletion();
      expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null, tool_calls: [CALLED] } });
    });

    it('are items of a response', async () => {
      runner.script = channels('commentary', MESSAGE, 'I look.', END, START, 'assistant', CHANNEL, ...CALL);
      const tools = [{ type: 'function' as const, name: 'now', parameters: {}, strict: false }];
      const { output } = await client.responses.create({ model: TEST_MODEL, input: 'Oslo?', tools });
      expect(output).toMatchObject([
        { type: 'reasoning', content: [{ text: 'I see.' }] },
        { type: 'message', content: [{ text: 'I look.' }] },
        { type: 'function_call', name: 'now', arguments: '{"a": 1}' },
      ]);
    });
  });
});
