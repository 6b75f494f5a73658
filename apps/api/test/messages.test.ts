/** `POST /v1/messages`, through Anthropic's official client. */
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { ledgerOf } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { CACHED_TOKENS, PROMPT_TOKENS, say, ScriptedRunner, tell, until, type Script } from './scripted-runner.js';

const SCHEMA = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] };
const WEATHER = { name: 'get_weather', description: 'The weather', input_schema: SCHEMA };
const CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';
const ASKED = { model: TEST_MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hi' }] };

const stopAt =
  (stop: string, text: string): Script =>
  async (run) => {
    run.stop = stop;
    await run.tokens(text);
    await run.finish('stop');
  };
const think: Script = async (run) => {
  for (const text of ['<think>', 'Well.', '</think>']) await run.think(text);
  await run.tokens('Hello');
  await run.finish('stop');
};

describe('messages', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let client: Anthropic;
  let key: { authorization: string };

  beforeAll(async () => {
    test = await startApp();
    ({ key } = await createTenant(test));
    runner = new ScriptedRunner(test);
    client = new Anthropic({ baseURL: test.url, apiKey: key.authorization.replace('Bearer ', ''), authToken: null, maxRetries: 0 });
    await bringAdapter(test, key, 'tales', fixture('a'));
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const job = () => runner.jobs.at(-1)!;
  async function refusal(change: object, headers: object = key): Promise<{ status: number; type: string; message: string }> {
    const response = await fetch(`${test.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ...ASKED, ...change }),
    });
    const body = (await response.json()) as { type: string; error: { type: string; message: string } };
    expect(body.type).toBe('error');
    return { status: response.status, ...body.error };
  }
  async function eventsOf(change: object): Promise<Anthropic.RawMessageStreamEvent[]> {
    const events: Anthropic.RawMessageStreamEvent[] = [];
    for await (const event of await client.messages.create({ ...ASKED, ...change, stream: true })) events.push(event);
    return events;
  }

  it('answer whole, and are charged', async () => {
    const message = await client.messages.create({ ...ASKED, model: 'tales', system: 'Be brief.', top_p: 0.9, top_k: 5, temperature: 0.5, stop_sequences: ['END'], metadata: { user_id: 'u' } } as Anthropic.MessageCreateParamsNonStreaming);
    expect(message).toMatchObject({
      id: expect.stringMatching(/^msg_/) as string,
      type: 'message',
      role: 'assistant',
      model: 'tales',
      content: [{ type: 'text', text: 'Once upon a time', citations: null }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: PROMPT_TOKENS - CACHED_TOKENS, cache_read_input_tokens: CACHED_TOKENS, cache_creation_input_tokens: 0, output_tokens: 3 },
    });
    expect(message._request_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(job()).toMatchObject({
      input: { kind: 'messages', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }], templateOptions: { enable_thinking: false } },
      sampling: { temperature: 0.5, topP: 0.9, topK: 5, stop: ['END'], maxTokens: 100 },
    });
    await until(async () => (await ledgerOf(test, job().generationId)).length === 1);
    expect(await ledgerOf(test, job().generationId)).toMatchObject([{ prompt_tokens: PROMPT_TOKENS, completion_tokens: 3 }]);
  });

  it('stream as the client puts them together', async () => {
    const stream = client.messages.stream(ASKED);
    const texts: string[] = [];
    stream.on('text', (text) => void texts.push(text));
    expect(await stream.finalMessage()).toMatchObject({
      content: [{ type: 'text', text: 'Once upon a time' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: PROMPT_TOKENS - CACHED_TOKENS, cache_read_input_tokens: CACHED_TOKENS, output_tokens: 3 },
    });
    expect(texts).toEqual(['Once', ' upon', ' a time']);
    const types = (await eventsOf({})).map(({ type }) => type);
    expect(types).toEqual(['message_start', 'content_block_start', ...Array<string>(3).fill('content_block_delta'), 'content_block_stop', 'message_delta', 'message_stop']);
  });

  it('say why they ended', async () => {
    runner.script = stopAt('END', 'Once');
    expect(await client.messages.create({ ...ASKED, stop_sequences: ['END'] })).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'END' });
    expect((await eventsOf({ stop_sequences: ['END'] })).at(-2)).toMatchObject({ type: 'message_delta', delta: { stop_reason: 'stop_sequence', stop_sequence: 'END' } });
    runner.script = async (run) => {
      await run.tokens('Once upon', 2);
      await run.finish('length');
    };
    expect(await client.messages.create({ ...ASKED, max_tokens: 2 })).toMatchObject({ stop_reason: 'max_tokens' });
    // More than any context holds is no mistake: the context ends the answer.
    expect(await client.messages.create({ ...ASKED, max_tokens: 20_000 })).toMatchObject({ stop_reason: 'model_context_window_exceeded' });
    expect(job().sampling.maxTokens).toBe(512);
  });

  it('call tools, and take their results', async () => {
    runner.script = say('Let me see. ', `<tool_call>${CALL}</tool_call>`);
    const asked = { ...ASKED, tools: [WEATHER] };
    const message = await client.messages.create(asked);
    const call = { type: 'tool_use', id: expect.stringMatching(/^[A-Za-z0-9]{9}$/) as string, name: 'get_weather', input: { city: 'Oslo' } };
    expect(message).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'text', text: 'Let me see. ' }, call] });
    expect(job().input).toMatchObject({ tools: [{ name: 'get_weather', description: 'The weather', parameters: SCHEMA }] });
    expect(await client.messages.stream(asked).finalMessage()).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'text' }, call] });
    runner.script = say('Let me see. ', '<|tool_call_start|>[get_wea', "ther(city='Oslo')]<|tool_call", '_end|>');
    expect(await client.messages.create(asked)).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'text', text: 'Let me see. ' }, call] });
    expect(await client.messages.stream(asked).finalMessage()).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'text' }, call] });

    runner.script = tell;
    const result = { type: 'tool_result' as const, tool_use_id: 'call-1', content: [{ type: 'text' as const, text: '7 °C' }] };
    const used = { type: 'tool_use' as const, id: 'call-1', name: 'get_weather', input: { city: 'Oslo' } };
    const said = [{ type: 'thinking', thinking: 'Hm.', signature: '' }, { type: 'text', text: 'One moment.' }, used] as Anthropic.ContentBlockParam[];
    await client.messages.create({ ...asked, messages: [...ASKED.messages, { role: 'assistant', content: said }, { role: 'user', content: [result, { type: 'text', text: 'And?' }] }] });
    expect(job().input).toMatchObject({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'One moment.', reasoning: 'Hm.', toolCalls: [{ id: 'call-1', name: 'get_weather', arguments: { city: 'Oslo' } }] },
        { role: 'tool', content: '7 °C', toolCallId: 'call-1', toolName: 'get_weather' },
        { role: 'user', content: 'And?' },
      ],
    });
  });

  it.each([
    [{ type: 'tool', name: 'get_weather' }, false, CALL],
    [{ type: 'any' }, true, `<tool_call>${CALL}</tool_call>`],
    [{ type: 'any', disable_parallel_tool_use: true }, false, CALL],
  ])('call what they must: %j', async (choice, parallel, text) => {
    runner.script = say(text);
    const message = await client.messages.create({ ...ASKED, tools: [WEATHER], tool_choice: choice as Anthropic.ToolChoice });
    expect(message).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'tool_use', input: { city: 'Oslo' } }] });
    expect(job().constraint).toMatchObject({ type: 'calls', required: true, parallel });
  });

  it('call several tools in one answer', async () => {
    runner.script = say(`<tool_call>${CALL}</tool_call>`, `<tool_call>${CALL.replace('Oslo', 'Rome')}</tool_call>`);
    const calls = [{ type: 'tool_use', input: { city: 'Oslo' } }, { type: 'tool_use', input: { city: 'Rome' } }];
    const asked = { ...ASKED, tools: [WEATHER] };
    for (const { content } of [await client.messages.create(asked), await client.messages.stream(asked).finalMessage()]) expect(content).toMatchObject(calls);
  });

  it('have an empty input where a call was cut off', async () => {
    runner.script = async (run) => {
      await run.tokens('{"name": "get_weather", "arguments": {"ci', 2);
      await run.finish('length');
    };
    expect(await client.messages.create({ ...ASKED, max_tokens: 2, tools: [WEATHER] })).toMatchObject({ stop_reason: 'max_tokens', content: [{ type: 'tool_use', name: 'get_weather', input: {} }] });
  });

  it('tell thoughts to who asks for them', async () => {
    runner.script = think;
    const thinking = { type: 'enabled' as const, budget_tokens: 50 };
    expect(await client.messages.create({ ...ASKED, thinking })).toMatchObject({
      content: [{ type: 'thinking', thinking: 'Well.', signature: '' }, { type: 'text', text: 'Hello' }],
      usage: { output_tokens: 4, output_tokens_details: { thinking_tokens: 3 } },
    });
    expect(job().input).toMatchObject({ templateOptions: { enable_thinking: true } });
    expect(await client.messages.stream({ ...ASKED, thinking, output_config: { effort: 'high' } }).finalMessage()).toMatchObject({ content: [{ type: 'thinking', thinking: 'Well.' }, { type: 'text', text: 'Hello' }] });
    expect(job().input).toMatchObject({ templateOptions: { enable_thinking: true, reasoning_effort: 'high' } });
    for (const quiet of [{}, { thinking: { type: 'disabled' as const } }, { thinking: { type: 'adaptive' as const, display: 'omitted' as const } }]) {
      expect((await client.messages.create({ ...ASKED, ...quiet })).content).toMatchObject([{ type: 'text', text: 'Hello' }]);
    }
  });

  it('keep to a schema', async () => {
    runner.script = say('{"city": "Oslo"}');
    for (const change of [{ output_config: { format: { type: 'json_schema', schema: SCHEMA } } }, { output_format: { type: 'json_schema', schema: SCHEMA } }]) {
      await client.messages.create({ ...ASKED, ...change } as Anthropic.MessageCreateParamsNonStreaming);
      expect(job().constraint).toMatchObject({ type: 'jsonSchema', schema: SCHEMA });
    }
  });

  it('go on where the last message has begun the answer', async () => {
    const messages = [...ASKED.messages, { role: 'assistant' as const, content: 'It is' }];
    expect((await client.messages.create({ ...ASKED, messages })).content).toMatchObject([{ type: 'text', text: 'Once upon a time' }]);
    expect(job().input).toMatchObject({ continueFinal: true, messages: [{}, { role: 'assistant', content: 'It is' }] });
    await client.messages.create(ASKED);
    expect(job().input).not.toHaveProperty('continueFinal');
  });

  it('are counted before they are sent, as the prompt that they would be', async () => {
    const { max_tokens: _most, ...counted } = { ...ASKED, system: 'Be brief.', tools: [WEATHER] };
    const before = runner.jobs.length;
    expect(await client.messages.countTokens(counted)).toEqual({ input_tokens: PROMPT_TOKENS });
    expect(runner.jobs).toHaveLength(before);
    await client.messages.create({ ...ASKED, ...counted });
    expect(runner.counted).toEqual([{ version: 1, input: job().input }]);
    expect(await runner.redis.keys('aril:bull:token-counts.*:????????-*')).toEqual([]);
    const refused = await fetch(`${test.url}/v1/messages/count_tokens`, { method: 'POST', headers: { 'content-type': 'application/json', ...key }, body: JSON.stringify({ ...counted, model: 'nobody' }) });
    expect(await refused.json()).toMatchObject({ type: 'error', error: { type: 'not_found_error', message: expect.stringMatching(/^model: there is no adapter/) as string } });
    runner.count = () => ({ error: { code: 'CONTEXT_TOO_LONG', message: 'prompt: found 9999 bytes, which are at least 600 tokens' } });
    await expect(client.messages.countTokens(counted)).rejects.toMatchObject({ status: 400, message: expect.stringContaining('prompt is too long: ') as string });
    runner.count = () => Promise.reject(new Error('an accident'));
    await expect(client.messages.countTokens(counted)).rejects.toMatchObject({ status: 503 });
    runner.count = () => ({ tokens: PROMPT_TOKENS });
    expect(await client.messages.countTokens(counted)).toEqual({ input_tokens: PROMPT_TOKENS });
  });

  it.each([
    [{ max_tokens: undefined }, /^max_tokens: /],
    [{ messages: [] }, /^messages: /],
    [{ messages: [...ASKED.messages, { role: 'assistant', content: 'It is ' }] }, /^messages\[1\]\.content: expected no white space at its end/],
    [{ messages: [...ASKED.messages, { role: 'assistant', content: '' }] }, /^messages\[1\]\.content: expected a text and nothing else/],
    [{ messages: [...ASKED.messages, { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] }] }, /^messages\[1\]\.content: expected a text and nothing else/],
    [{ messages: [...ASKED.messages, { role: 'assistant', content: 'It is' }], thinking: { type: 'adaptive' } }, /^thinking: expected none where the last message begins the answer/],
    [{ messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }, /^messages\[0\]\.content\[0\]\.type: only text and tool_result blocks are supported, found "image"\.$/],
    [{ messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'document' }] }] }] }, /^messages\[0\]\.content\[0\]\.content\[0\]\.type: only text blocks/],
    [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, /^tools\[0\]\.type: only custom tools are supported, found "web_search_20250305"\.$/],
    [{ tools: [WEATHER], tool_choice: { type: 'tool', name: 'other' } }, /^tool_choice\.name: expected the name of one of tools/],
    [{ mcp_servers: [{}] }, /^mcp_servers is not supported/],
    [{ n: 2 }, /^Unrecognized request argument supplied: n\.$/],
    [{ system: [{ type: 'image' }] }, /^system\[0\]\.type: only text blocks/],
  ])('are refused in words of their own: %j', async (change, message) => {
    expect(await refusal(change)).toEqual({ status: 400, type: 'invalid_request_error', message: expect.stringMatching(message) as string });
  });

  it('fail in the format of their client', async () => {
    expect(await refusal({ model: 'nobody' })).toMatchObject({ status: 404, type: 'not_found_error' });
    expect(await refusal({}, {})).toMatchObject({ status: 401, type: 'authentication_error' });
    runner.script = async (run) => void (await run.finish('error', { code: 'CONTEXT_TOO_LONG', message: 'promptTokens: found 600 tokens, expected at most 511' }));
    const error: unknown = await client.messages.create(ASKED).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', message: expect.stringContaining('prompt is too long: ') as string });
    runner.script = async (run) => {
      await run.tokens('Once');
      await run.finish('error', { code: 'NUMERIC_ERROR', message: 'NaN' });
    };
    await expect(client.messages.stream(ASKED).finalMessage()).rejects.toThrow(/api_error/);
  });
});
