/** Functions that an answer may call, through the official client. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type OpenAI from 'openai';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { say, ScriptedRunner, tell, type Script } from './scripted-runner.js';

const MESSAGES = [{ role: 'user' as const, content: 'How warm is it in Oslo?' }];
const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const WEATHER = { type: 'function' as const, function: { name: 'get_weather', description: 'The weather of a city', parameters: PARAMETERS } };
const NOW = { type: 'function' as const, function: { name: 'now' } };
const TOOLS = [WEATHER, NOW];
const FORCED = { type: 'function' as const, function: { name: 'get_weather' } };

const CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';
const calls = (text: string): Script => say(...(text.match(/.{1,5}/gs) ?? []));

describe('tools of the OpenAI endpoint', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let client: OpenAI;
  let key: { authorization: string };

  beforeAll(async () => {
    test = await startApp();
    ({ key } = await createTenant(test));
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

  const create = (change: object = {}) =>
    client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS, ...change, stream: false });
  const job = () => runner.jobs.at(-1)!;
  interface OpenAiError {
    error: { message: string; param: string | null };
  }
  async function refusal(change: object): Promise<{ status: number; param: string | null; message: string }> {
    const body = JSON.stringify({ model: TEST_MODEL, messages: MESSAGES, ...change });
    const response = await fetch(`${test.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', ...key }, body });
    const { error } = (await response.json()) as OpenAiError;
    return { status: response.status, param: error.param, message: error.message };
  }

  it('are told to the model, and its calls to the caller', async () => {
    runner.script = calls(`Let me see.\n<tool_call>\n${CALL}\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>`);
    const completion = await create();
    expect(job().input).toMatchObject({ tools: [{ name: 'get_weather', description: 'The weather of a city', parameters: PARAMETERS }, { name: 'now' }] });
    expect(job().constraint).toBeNull();
    const [choice] = completion.choices;
    expect(choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Let me see.\n',
        tool_calls: [
          { type: 'function', function: { name: 'get_weather', arguments: '{"city": "Oslo"}' } },
          { type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
    });
    const ids = choice?.message.tool_calls?.map(({ id }) => id) ?? [];
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{9}$/);
    expect(new Set(ids).size).toBe(2);
  });

  it.each([
    ['Qwen3-Coder', '<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo "S" <\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>'],
    ['GLM', '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo "S" <</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>'],
    ['MiniMax', '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo "S" <</parameter>\n<parameter name="days">3</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>'],
    ['LFM2', '<|tool_call_start|>[get_weather(city="Oslo \\"S\\" <", days=3), now()]<|tool_call_end|>'],
    [
      'DeepSeek',
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city":"Oslo \\"S\\" <","days":3}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ],
  ])('are called as %s writes calls, whole and streamed', async (_model, text) => {
    runner.script = calls(`Let me see.\n${text}`);
    const tools = [{ ...WEATHER, function: { ...WEATHER.function, parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } } } }, NOW];
    const called = [['get_weather', '{"city":"Oslo \\"S\\" <","days":3}'], ['now', '{}']];
    const [whole] = (await create({ tools })).choices;
    expect(whole).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me see.\n' } });
    expect(whole?.message.tool_calls?.map((call) => call.type === 'function' && [call.function.name, call.function.arguments])).toEqual(called);
    const [streamed] = (await client.chat.completions.stream({ model: TEST_MODEL, messages: MESSAGES, tools }).finalChatCompletion()).choices;
    expect(streamed).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me see.\n' } });
    expect(streamed?.message.tool_calls?.map((call) => [call.function.name, call.function.arguments])).toEqual(called);
    const { output } = await client.responses.create({ model: TEST_MODEL, input: 'How warm?', tools: tools.map(({ function: one }) => ({ type: 'function', parameters: null, strict: false, ...one })) });
    expect(output.flatMap((item) => (item.type === 'function_call' ? [[item.name, item.arguments]] : []))).toEqual(called);
  });

  it('stream as the calls are written', async () => {
    runner.script = calls(CALL);
    const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS, stream: true });
    const deltas = [];
    let reason: string | null = null;
    for await (const { choices } of stream) {
      deltas.push(...(choices[0]?.delta.tool_calls ?? []));
      reason = choices[0]?.finish_reason ?? reason;
      expect(choices[0]?.delta.content || '').toBe('');
    }
    const [first, ...others] = deltas;
    expect(first).toMatchObject({ index: 0, type: 'function', id: expect.any(String) as string, function: { name: 'get_weather', arguments: '' } });
    expect(others.length).toBeGreaterThan(2);
    for (const other of others) expect(other).toEqual({ index: 0, function: { arguments: expect.any(String) as string } });
    expect(others.map((other) => other.function?.arguments).join('')).toBe('{"city": "Oslo"}');
    expect(reason).toBe('tool_calls');
  });

  it('have no text in their stream, not even an empty one', async () => {
    runner.script = calls(CALL);
    const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS, stream: true, logprobs: true });
    const texts: unknown[] = [];
    for await (const { choices } of stream) texts.push(choices[0]?.delta.content ?? null);
    expect(new Set(texts)).toEqual(new Set([null]));
  });

  it("are collected by the client's own helper, of each choice by itself", async () => {
    runner.script = async (run) => {
      await run.tokens('{"name": "now", "arg', 1, 0);
      await run.tokens('No', 1, 1);
      await run.tokens('uments": {}}', 1, 0);
      await run.endChoice(1, 'stop', ' call');
      await run.finish('stop');
    };
    const final = await client.chat.completions.stream({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS, n: 2 }).finalChatCompletion();
    expect(final.choices.map(({ message, finish_reason: reason }) => [message.content || null, message.tool_calls?.map((call) => call.function) ?? [], reason])).toEqual([
      [null, [expect.objectContaining({ name: 'now', arguments: '{}' })], 'tool_calls'],
      ['No call', [], 'stop'],
    ]);
  });

  it('leave an answer in text as it is, held back for no call', async () => {
    runner.script = say('{"city', '": "Oslo"', '} and <tool');
    const whole = await create();
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: '{"city": "Oslo"} and <tool' } });
    expect(whole.choices[0]?.message).not.toHaveProperty('tool_calls');
    const stream = client.chat.completions.stream({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS });
    expect((await stream.finalChatCompletion()).choices[0]?.message.content).toBe('{"city": "Oslo"} and <tool');
  });

  it('keep log probabilities of what is held back', async () => {
    runner.script = async (run) => {
      for (const text of ['{"name"', ': "now", "arguments"', ': {}}']) await run.scored(text);
      await run.finish('stop');
    };
    const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, tools: TOOLS, stream: true, logprobs: true });
    const tokens: string[] = [];
    for await (const { choices } of stream) tokens.push(...(choices[0]?.logprobs?.content ?? []).map(({ token }) => token));
    expect(tokens).toEqual(['{"name"', ': "now", "arguments"', ': {}}']);
  });

  it('have the same ids when the same answer is asked for again', async () => {
    runner.script = calls(CALL);
    const ask = async (stream: boolean): Promise<string | undefined> => {
      const options = { headers: { 'idempotency-key': 'calls-again' } };
      const body = { model: TEST_MODEL, messages: MESSAGES, tools: TOOLS };
      if (!stream) return (await client.chat.completions.create(body, options)).choices[0]?.message.tool_calls?.[0]?.id;
      for await (const { choices } of await client.chat.completions.create({ ...body, stream: true }, options)) {
        const id = choices[0]?.delta.tool_calls?.[0]?.id;
        if (id) return id;
      }
      return undefined;
    };
    const id = await ask(false);
    expect(id).toBeDefined();
    expect([await ask(false), await ask(true)]).toEqual([id, id]);
  });

  it('come back with their results, arguments as objects where they are objects', async () => {
    const call = (id: string, name: string, text: string) => ({ id, type: 'function' as const, function: { name, arguments: text } });
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    await create({
      messages: [
        ...MESSAGES,
        { role: 'assistant', tool_calls: [call('a', 'get_weather', '{"city": "Oslo"}'), call('b', 'now', ''), call('c', 'now', 'no JSON'), call('d', 'now', `{"a":${deep}}`)] },
        { role: 'tool', tool_call_id: 'a', content: '3 °C' },
        { role: 'tool', tool_call_id: 'x', content: [{ type: 'text', text: 'lost' }] },
      ],
    });
    expect(job().input).toMatchObject({
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: '',
          toolCalls: [
            { id: 'a', name: 'get_weather', arguments: { city: 'Oslo' } },
            { id: 'b', name: 'now', arguments: {} },
            { id: 'c', name: 'now', arguments: 'no JSON' },
            { id: 'd', name: 'now', arguments: `{"a":${deep}}` },
          ],
        },
        { role: 'tool', content: '3 °C', toolCallId: 'a', toolName: 'get_weather' },
        { role: 'tool', content: 'lost', toolCallId: 'x' },
      ],
    });
  });

  const definitions = { get_weather: PARAMETERS, now: { type: 'object', additionalProperties: false } };
  const allowed = (mode: string) => ({ type: 'allowed_tools', allowed_tools: { mode, tools: [FORCED] } });

  it.each<[string, { tool_choice: unknown; parallel_tool_calls?: boolean }, object | null]>([
    ['a function', { tool_choice: FORCED }, { get_weather: PARAMETERS }],
    ['some function once', { tool_choice: 'required', parallel_tool_calls: false }, definitions],
    ['one of some', { tool_choice: allowed('required'), parallel_tool_calls: false }, { get_weather: PARAMETERS }],
    ['nothing', { tool_choice: 'auto' }, null],
  ])('that must be called are called: %s', async (_name, change, $defs) => {
    runner.script = calls(CALL);
    const completion = await create(change);
    const functions = Object.keys($defs ?? {});
    expect(job().constraint).toEqual($defs && { type: 'calls', schema: { $defs }, functions, relaxedDefinitions: functions, required: true, parallel: false });
    expect(completion.choices[0]?.message.tool_calls).toMatchObject([{ function: { name: 'get_weather', arguments: '{"city": "Oslo"}' } }]);
    expect(completion.choices[0]?.finish_reason).toBe(change.tool_choice === FORCED ? 'stop' : 'tool_calls');
  });

  it('that are strict are kept to their schema where one must be called, and where one may', async () => {
    const strict = { ...WEATHER, function: { ...WEATHER.function, strict: true } };
    const asked = { type: 'calls', functions: ['get_weather', 'now'], schema: { $defs: { get_weather: PARAMETERS } }, relaxedDefinitions: ['now'], parallel: true };
    await create({ tools: [strict, NOW] });
    expect(job().constraint).toMatchObject({ ...asked, required: false });
    await create({ tools: [strict, NOW], parallel_tool_calls: false });
    expect(job().constraint).toMatchObject({ ...asked, required: false, parallel: false });
    await create({ tools: [strict, NOW], tool_choice: 'required' });
    expect(job().constraint).toMatchObject({ ...asked, required: true });
    await create();
    expect(job().constraint).toBeNull();
  });

  it('that may not be called are not told of, and nothing is read as a call', async () => {
    runner.script = calls(CALL);
    const none = await create({ tool_choice: 'none' });
    expect([job().input, none.choices[0]?.message.content, none.choices[0]?.finish_reason]).toEqual([
      { kind: 'messages', messages: MESSAGES },
      CALL,
      'stop',
    ]);
    await create({ tool_choice: allowed('auto') });
    expect(job().input).toMatchObject({ tools: [{ name: 'get_weather' }] });
    expect(Reflect.get(job().input, 'tools')).toHaveLength(1);
  });

  it('keep the definitions of their schemas apart, and what is strict strict', async () => {
    const node = { type: 'object', properties: { next: { $ref: '#/$defs/node' }, self: { $ref: '#' }, $ref: { type: 'string', default: { $ref: '#' } } } };
    const tree = { type: 'object', properties: { root: { $ref: '#/$defs/node' } }, $defs: { node } };
    const strict = { type: 'function', function: { name: 'a', parameters: tree, strict: true } };
    const lax = { type: 'function', function: { name: 'b', parameters: { ...tree, definitions: { node: { $ref: '#/definitions/node' } } } } };
    await create({ tools: [strict, lax], tool_choice: 'required' });
    const moved = (name: string) => ({
      type: 'object',
      properties: { next: { $ref: `#/$defs/${name}.$defs.node` }, self: { $ref: `#/$defs/${name}` }, $ref: { type: 'string', default: { $ref: '#' } } },
    });
    const whole = (name: string) => ({ [name]: { type: 'object', properties: { root: { $ref: `#/$defs/${name}.$defs.node` } } }, [`${name}.$defs.node`]: moved(name) });
    expect(job().constraint).toMatchObject({
      schema: { $defs: { ...whole('a'), ...whole('b'), 'b.definitions.node': { $ref: '#/$defs/b.definitions.node' } } },
      relaxedDefinitions: ['b', 'b.$defs.node', 'b.definitions.node'],
    });
  });

  it.each([
    [{}, { type: 'object' }],
    [{ description: 'd', properties: { a: {} } }, { type: 'object', description: 'd', properties: { a: {} } }],
    [{ type: ['object', 'null'] }, { type: ['object', 'null'] }],
    [{ $ref: '#/$defs/a', $defs: { a: { type: 'object' } } }, { $ref: '#/$defs/f.$defs.a' }],
    [{ anyOf: [{ type: 'object' }] }, { anyOf: [{ type: 'object' }] }],
  ])('have an object of arguments, whether their schema says so or not: %j', async (parameters, definition) => {
    await create({ tools: [{ type: 'function', function: { name: 'f', parameters } }], tool_choice: 'required' });
    expect(job().constraint).toEqual({
      type: 'calls',
      functions: ['f'],
      required: true,
      parallel: true,
      relaxedDefinitions: expect.any(Array) as string[],
      schema: expect.objectContaining({ $defs: expect.objectContaining({ f: definition }) as object }) as object,
    });
  });

  it('may have any name there is', async () => {
    await create({ tools: ['__proto__', 'constructor'].map((name) => ({ type: 'function', function: { name } })), tool_choice: 'required' });
    const { constraint } = job();
    expect(constraint?.type === 'calls' && Object.keys(constraint.schema.$defs as object)).toEqual(['__proto__', 'constructor']);
  });

  it('leave the choice between a call and an answer of a schema', async () => {
    const schema = { type: 'object', properties: { part: { $ref: '#/$defs/part' } }, $defs: { part: { type: 'integer' } } };
    await create({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } });
    expect(job().constraint).toMatchObject({
      ...{ type: 'calls', functions: ['get_weather', 'now'], required: false, parallel: false, answer: 'answer.schema' },
      schema: { $defs: { ...definitions, 'answer.schema': { properties: { part: { $ref: '#/$defs/answer.schema.$defs.part' } } }, 'answer.schema.$defs.part': { type: 'integer' } } },
      relaxedDefinitions: ['get_weather', 'now', 'answer.schema', 'answer.schema.$defs.part'],
    });
    runner.script = calls('{"part": "<tool_call>now</tool_call>"}');
    const answer = await create({ response_format: { type: 'json_object' } });
    expect(answer.choices[0]?.message.content).toBe('{"part": "<tool_call>now</tool_call>"}');
    expect(job().constraint).toMatchObject({ type: 'calls', answer: 'answer.schema', schema: { $defs: { 'answer.schema': { type: 'object' } } } });
    await create({ response_format: { type: 'json_object' }, tool_choice: FORCED });
    expect(job().constraint).toMatchObject({ schema: { $defs: { get_weather: PARAMETERS } } });
  });

  it.each<[string, object, string]>([
    ['constraint.schema.$defs.get_weather.properties.city.x: found a keyword; expected none.', { tool_choice: FORCED }, 'tools[0].function.parameters.properties.city.x'],
    ['constraint.schema.$defs.now.not: found a keyword; expected none.', { tool_choice: 'required' }, 'tools[1].function.parameters.not'],
    ['constraint.schema: found too much; expected less.', { tool_choice: 'required' }, 'tools'],
    [
      'constraint.schema.$defs.answer.schema.not: found a keyword; expected none.',
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: {} } } },
      'response_format.json_schema.schema.not',
    ],
  ])('are named where the engine refuses them: %s', async (message, change, param) => {
    runner.script = async (run) => {
      await run.finish('error', { code: 'CONSTRAINT_INVALID', message });
    };
    expect(await refusal({ tools: TOOLS, ...change })).toMatchObject({ status: 400, param });
  });

  it('are refused for what their schemas come to together, in words of that', async () => {
    const deep = (levels: number): object => (levels === 0 ? {} : { type: 'object', properties: { x: deep(levels - 1) } });
    const tool = (parameters: object) => ({ type: 'function', function: { name: 'f', parameters } });
    const refused = { status: 400, param: 'tools' };
    const tooDeep = await refusal({ tools: [tool(deep(32))], tool_choice: 'required' });
    expect(tooDeep).toMatchObject({ ...refused, message: expect.stringMatching(/^tools: expected at most \d+ levels/) as string });
    const long = Array.from({ length: 2 }, (_, index) => ({ type: 'function', function: { name: `f${index}`, parameters: { description: 'x'.repeat(40_000) } } }));
    expect(await refusal({ tools: long, tool_choice: 'required' })).toMatchObject({ ...refused, message: expect.stringContaining('characters') as string });
  });

  it.each<[object, string]>([
    [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools[0].type'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    [{ tools: [{ type: 'function', function: { name: 'a b' } }] }, 'tools[0].function.name'],
    [{ tools: [NOW, NOW] }, 'tools[1].function.name'],
    [{ tools: [{ type: 'function', function: { name: 'f', parameters: 'none' } }] }, 'tools[0].function.parameters'],
    [{ tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'string' } } }] }, 'tools[0].function.parameters.type'],
    [{ tools: [{ type: 'function', function: { name: 'f', parameters: { type: ['array', 'null'] } } }] }, 'tools[0].function.parameters.type'],
    [{ tools: Array.from({ length: 129 }, (_, index) => ({ type: 'function', function: { name: `f${index}` } })) }, 'tools'],
    [{ tools: TOOLS, tool_choice: 'always' }, 'tool_choice'],
    [{ tools: TOOLS, tool_choice: { type: 'function', function: { name: 'g' } } }, 'tool_choice.function.name'],
    [{ tools: TOOLS, tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'g' } }] } } }, 'tool_choice.allowed_tools.tools[0].function.name'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tool_choice: FORCED, tools: [] }, 'tool_choice'],
    [{ tools: TOOLS, guided_regex: 'a' }, 'guided_regex'],
    [{ tools: TOOLS, tool_choice: 'required', guided_json: {} }, 'guided_json'],
    [{ messages: [...MESSAGES, { role: 'tool', content: 'x' }] }, 'messages[1].tool_call_id'],
    [{ messages: [...MESSAGES, { role: 'user', content: 'x', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }] }, 'messages[1].tool_calls'],
    [{ messages: [...MESSAGES, { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f' } }] }] }, 'messages[1].tool_calls[0].function.arguments'],
    [{ messages: [...MESSAGES, { role: 'assistant' }] }, 'messages[1].content'],
    [{ messages: [...MESSAGES, { role: 'function', name: 'f', content: 'x' }] }, 'messages[1].role'],
    [{ messages: [...MESSAGES, { role: 'assistant', content: null, function_call: { name: 'f', arguments: '' } }] }, 'messages[1].function_call'],
    [{ tools: [{ type: 'function', function: { name: 'f', description: 'x'.repeat(4_000_001) } }] }, 'messages'],
  ])('are refused by name: %#', async (change, param) => {
    const found = await refusal(change);
    expect({ status: found.status, param: found.param }).toEqual({ status: 400, param });
    expect(found.message).toContain(param);
  });
});
