/** `POST /v1/responses`, through the official client. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { generationStreamKey } from '@aril/contracts';
import type OpenAI from 'openai';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { TextRetentionService } from '../src/core/generations/text-retention.service.js';
import { GenerationModel } from '../src/models/generation.model.js';
import { setLimits } from './limit-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { ledgerOf } from './generation-fixtures.js';
import { CACHED_TOKENS, gate, PROMPT_TOKENS, say, ScriptedRunner, tell, until } from './scripted-runner.js';

const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const WEATHER = { type: 'function' as const, name: 'get_weather', description: 'The weather', parameters: PARAMETERS, strict: false };
const CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}';

describe('responses', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let client: OpenAI;
  let key: { authorization: string };

  beforeAll(async () => {
    test = await startApp();
    ({ key } = await createTenant(test));
    runner = new ScriptedRunner(test);
    client = openaiClient(test, key);
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
  const post = (body: object, headers: Record<string, string> = key): Promise<Response> =>
    fetch(`${test.url}/v1/responses`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  async function refusal(change: object): Promise<{ status: number; param: string | null; message: string }> {
    const response = await post({ model: TEST_MODEL, input: 'Hi', ...change });
    const { error } = (await response.json()) as { error: { param: string | null; message: string } };
    return { status: response.status, param: error.param, message: error.message };
  }
  async function eventsOf(change: object): Promise<OpenAI.Responses.ResponseStreamEvent[]> {
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of await client.responses.create({ model: TEST_MODEL, input: 'Hi', ...change, stream: true })) events.push(event);
    return events;
  }

  it('answer whole, are charged, and repeat what was asked', async () => {
    const response = await client.responses.create({ model: 'tales', input: 'Tell me a story', instructions: 'Be brief.', temperature: 0.5, metadata: { a: 'b' } });
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_/) as string,
      object: 'response',
      status: 'completed',
      model: 'tales',
      output_text: 'Once upon a time',
      output: [{ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Once upon a time', annotations: [], logprobs: [] }] }],
      error: null,
      incomplete_details: null,
      instructions: 'Be brief.',
      metadata: { a: 'b' },
      temperature: 0.5,
      top_p: 1,
      tools: [],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      text: { format: { type: 'text' } },
      usage: {
        input_tokens: PROMPT_TOKENS,
        input_tokens_details: { cached_tokens: CACHED_TOKENS, cache_write_tokens: 0 },
        output_tokens: 3,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: PROMPT_TOKENS + 3,
      },
    });
    expect(job()).toMatchObject({
      input: { kind: 'messages', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Tell me a story' }] },
      sampling: { temperature: 0.5, maxTokens: 512 },
    });
    await until(async () => (await ledgerOf(test, response.id.replace('resp_', ''))).length === 1);
  });

  it('stream in events that are numbered and say which item they are about', async () => {
    const events = await eventsOf({});
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_, index) => index));
    expect(events.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      ...Array.from({ length: 3 }, () => 'response.output_text.delta'),
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    const [created] = events;
    expect(created).toMatchObject({ response: { status: 'in_progress', output: [], usage: null } });
    expect(events.at(-1)).toMatchObject({ response: { status: 'completed', usage: { output_tokens: 3 }, output: [{ content: [{ text: 'Once upon a time' }] }] } });
    expect(events[2]).toMatchObject({ item: { content: [], status: 'in_progress' } });
    const ids = new Set(events.flatMap((event) => ('item_id' in event ? [event.item_id] : [])));
    expect(ids.size).toBe(1);
  });

  it('are named as events on the wire', async () => {
    const text = await (await post({ model: TEST_MODEL, input: 'Hi', stream: true })).text();
    const named = [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, name, data]) => [name, (JSON.parse(data!) as { type: string }).type]);
    expect(named.length).toBeGreaterThan(5);
    for (const [name, type] of named) expect(name).toBe(type);
    expect(text).not.toContain('[DONE]');
  });

  it("are collected by the client's own helper, calls too", async () => {
    runner.script = say('Let me see.\n', '<tool_call>\n{"name": "get_wea', 'ther", "arguments": {"ci', 'ty": "Oslo"}}\n</tool_call>');
    const final = await client.responses.stream({ model: TEST_MODEL, input: 'Hi', tools: [WEATHER] }).finalResponse();
    expect(final.output).toMatchObject([
      { type: 'message', status: 'completed', content: [{ text: 'Let me see.\n' }] },
      { type: 'function_call', status: 'completed', name: 'get_weather', arguments: '{"city": "Oslo"}', call_id: expect.stringMatching(/^[A-Za-z0-9]{9}$/) as string },
    ]);
    const events = await eventsOf({ tools: [WEATHER] });
    const deltas = events.flatMap((event) => (event.type === 'response.function_call_arguments.delta' ? [event.delta] : []));
    expect(deltas).toEqual(['{"ci', 'ty": "Oslo"}']);
    expect(events.find(({ type }) => type === 'response.function_call_arguments.done')).toMatchObject({ arguments: '{"city": "Oslo"}', output_index: 1 });
    const items = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []));
    expect(items.map(({ id }) => id)).toHaveLength(2);
    expect(new Set(items.map(({ id }) => id)).size).toBe(2);
  });

  it('are the same whole as streamed', async () => {
    runner.script = say('a', '<tool_call>', CALL, '</tool_call>', ' b ', `<tool_call>${CALL}`);
    const whole = await client.responses.create({ model: TEST_MODEL, input: 'Hi', tools: [WEATHER] });
    const streamed = await client.responses.stream({ model: TEST_MODEL, input: 'Hi', tools: [WEATHER] }).finalResponse();
    const shapes = (output: OpenAI.Responses.ResponseOutputItem[]) =>
      output.map((item) => (item.type === 'message' ? item.content.map((part) => ('text' in part ? part.text : '')).join('') : item.type === 'function_call' && [item.name, item.arguments]));
    expect(shapes(whole.output)).toEqual(['a', ['get_weather', '{"city": "Oslo"}'], 'b ', ['get_weather', '{"city": "Oslo"}']]);
    expect(shapes(streamed.output)).toEqual(shapes(whole.output));
  });

  it('take a whole conversation, with calls and their results', async () => {
    const output = [
      { type: 'message', id: 'msg_1', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'Let me see.', annotations: [] }] },
      { type: 'function_call', id: 'fc_1', status: 'completed', call_id: 'a', name: 'get_weather', arguments: '{"city":"Oslo"}' },
      { type: 'function_call', call_id: 'b', name: 'now', arguments: '{}' },
    ] as OpenAI.Responses.ResponseInputItem[];
    await client.responses.create({
      model: TEST_MODEL,
      store: false,
      input: [
        { role: 'developer', content: 'Be exact.' },
        { role: 'user', content: [{ type: 'input_text', text: 'Warm ' }, { type: 'input_text', text: 'there?' }] },
        ...output,
        { type: 'function_call_output', call_id: 'a', output: '3 °C' },
        { type: 'function_call_output', call_id: 'b', output: [{ type: 'input_text', text: '12:00' }] },
      ],
    });
    expect(job().input).toEqual({
      kind: 'messages',
      messages: [
        { role: 'system', content: 'Be exact.' },
        { role: 'user', content: 'Warm there?' },
        {
          role: 'assistant',
          content: 'Let me see.',
          toolCalls: [{ id: 'a', name: 'get_weather', arguments: { city: 'Oslo' } }, { id: 'b', name: 'now', arguments: {} }],
        },
        { role: 'tool', content: '3 °C', toolCallId: 'a', toolName: 'get_weather' },
        { role: 'tool', content: '12:00', toolCallId: 'b', toolName: 'now' },
      ],
    });
  });

  it.each<[string, object, object | null]>([
    ['a function', { tools: [WEATHER], tool_choice: { type: 'function', name: 'get_weather' } }, { type: 'calls', functions: ['get_weather'], required: true, parallel: false }],
    ['any function', { tools: [WEATHER], tool_choice: 'required' }, { type: 'calls', functions: ['get_weather'], required: true }],
    ['some of them', { tools: [WEATHER], tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'get_weather' }] }, parallel_tool_calls: false }, { functions: ['get_weather'], required: true, parallel: false }],
    ['a schema', { text: { format: { type: 'json_schema', name: 'x', schema: PARAMETERS } } }, { type: 'jsonSchema', schema: PARAMETERS }],
    ['a schema or a call', { tools: [WEATHER], text: { format: { type: 'json_schema', name: 'x', schema: PARAMETERS } } }, { type: 'calls', functions: ['get_weather'], required: false, answer: 'answer.schema', schema: { $defs: { 'answer.schema': PARAMETERS } } }],
    ['JSON', { text: { format: { type: 'json_object' } } }, { type: 'json' }],
    ['text', { text: { format: { type: 'text' }, verbosity: 'low' }, tools: [WEATHER], tool_choice: 'none' }, null],
  ])('are constrained to %s', async (_name, change, constraint) => {
    expect((await post({ model: TEST_MODEL, input: 'Hi', ...change })).status).toBe(200);
    if (constraint) expect(job().constraint).toMatchObject(constraint);
    else expect(job()).toMatchObject({ constraint: null, input: { messages: [{ role: 'user', content: 'Hi' }] } });
  });

  it('that were cut say so, and one without a word is an empty message', async () => {
    runner.script = async (run) => {
      await run.tokens('Onc');
      await run.finish('length');
    };
    const cut = await client.responses.create({ model: TEST_MODEL, input: 'Hi', max_output_tokens: 1 });
    expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [{ status: 'incomplete' }] });
    expect((await eventsOf({})).at(-1)).toMatchObject({ type: 'response.incomplete', response: { status: 'incomplete' } });
    runner.script = async (run) => {
      await run.finish('stop');
    };
    expect((await client.responses.create({ model: TEST_MODEL, input: 'Hi' })).output).toMatchObject([{ type: 'message', content: [{ text: '' }] }]);
  });

  it('hold log probabilities when asked', async () => {
    runner.script = async (run) => {
      for (const text of ['Once', ' upon']) await run.scored(text);
      await run.finish('stop');
    };
    const response = await client.responses.create({ model: TEST_MODEL, input: 'Hi', include: ['message.output_text.logprobs'], top_logprobs: 2 });
    const [item] = response.output;
    const [part] = item?.type === 'message' ? item.content : [];
    expect(part?.type === 'output_text' ? part.logprobs : null).toMatchObject([{ token: 'Once', top_logprobs: [{}, {}] }, { token: ' upon' }]);
    const events = await eventsOf({ include: ['message.output_text.logprobs'] });
    expect(events.flatMap((event) => (event.type === 'response.output_text.delta' ? event.logprobs.map(({ token }) => token) : []))).toEqual(['Once', ' upon']);
  });

  it('that fail are told by the status before the first event, and by an event after it', async () => {
    runner.script = async (run) => {
      await run.finish('error', { code: 'CONTEXT_TOO_LONG', message: 'The prompt has 900 tokens, the context 512.' });
    };
    await expect(client.responses.create({ model: TEST_MODEL, input: 'Hi' })).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'input' });
    await expect(eventsOf({})).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    const { opened, open } = gate();
    runner.script = async (run) => {
      await run.tokens('Once');
      await opened;
      await run.finish('error', { code: 'ENGINE_CLOSED', message: 'The engine stopped.' });
    };
    const types: string[] = [];
    let last: OpenAI.Responses.ResponseStreamEvent | undefined;
    for await (const event of await client.responses.create({ model: TEST_MODEL, input: 'Hi', stream: true })) {
      types.push(event.type);
      if (event.type === 'response.output_text.delta') open();
      last = event;
    }
    expect(types).not.toContain('response.completed');
    expect(last).toMatchObject({ type: 'response.failed', response: { status: 'failed', error: { code: 'server_error', message: 'The engine stopped.' } } });
  });

  it('need a key', async () => {
    expect((await post({ model: TEST_MODEL, input: 'Hi' }, {})).status).toBe(401);
  });

  it('say that they were not stored, also to who asked for it', async () => {
    expect(await (await post({ model: TEST_MODEL, input: 'Hi', store: true })).json()).toMatchObject({ status: 'completed', store: false });
  });

  describe('that name items of earlier ones', () => {
    const referTo = (output: readonly { id?: string | null }[]) => output.map(({ id }) => ({ type: 'item_reference' as const, id: id! }));

    it('are given them: thoughts, texts and calls', async () => {
      runner.script = async (run) => {
        await run.think('<think>Hm.</think>');
        await say('Let me see.', `<tool_call>${CALL}</tool_call>`)(run);
      };
      const { output } = await client.responses.create({ model: 'tales', input: 'Hi', tools: [WEATHER] });
      const call = output.find((item) => item.type === 'function_call')!;
      const input = [{ role: 'user' as const, content: 'Hi' }, ...referTo(output), { type: 'function_call_output' as const, call_id: call.call_id, output: '3 °C' }];
      await client.responses.create({ model: 'tales', tools: [WEATHER], tool_choice: 'none', input });
      expect(job().input).toMatchObject({
        messages: [
          { content: 'Hi' },
          { role: 'assistant', reasoning: 'Hm.', content: 'Let me see.', toolCalls: [{ id: call.call_id, name: 'get_weather', arguments: { city: 'Oslo' } }] },
          { role: 'tool', content: '3 °C', toolName: 'get_weather' },
        ],
      });
    });

    it.each([
      ['is none', () => Promise.resolve('msg_1')],
      ['is not there', async () => (await client.responses.create({ model: 'tales', input: 'Hi' })).output[0]!.id!.replace(/_0$/, '_1')],
      ["is another tenant's", async () => (await openaiClient(test, (await createTenant(test)).key).responses.create({ model: TEST_MODEL, input: 'Hi' })).output[0]!.id!],
    ])('are refused where an item %s', async (_name, idOf) => {
      const found = await refusal({ input: ['a', { type: 'item_reference', id: await idOf() }] });
      expect(found).toMatchObject({ status: 404, param: 'input[1].id', message: expect.stringContaining('send the item itself') as string });
    });

    it('are refused once its text is no longer kept', async () => {
      const { id, output } = await client.responses.create({ model: 'tales', input: 'Hi' });
      const generation = id.replace('resp_', '');
      await until(async () => (await ledgerOf(test, generation)).length === 1);
      await runner.redis.del(generationStreamKey(generation));
      expect((await post({ model: 'tales', input: referTo(output) })).status).toBe(200);
      await test.app.get(TextRetentionService, { strict: false }).purge(Date.now() + 72 * 3_600_000);
      expect(await refusal({ input: referTo(output) })).toMatchObject({ status: 404, param: 'input[0].id' });
    });
  });

  describe('that name many items', () => {
    const answered = async () => {
      const { id, output } = await client.responses.create({ model: 'tales', input: 'Hi' });
      await until(async () => (await ledgerOf(test, id.replace('resp_', ''))).length === 1);
      return { generation: id.replace('resp_', ''), reference: { type: 'item_reference' as const, id: output[0]!.id! } };
    };

    it('look for all of them at once', async () => {
      const answers = [await answered(), await answered(), await answered()];
      const model = test.app.get(GenerationModel, { strict: false });
      const [all, each] = [vi.spyOn(model, 'findAll'), vi.spyOn(model, 'find')];
      const input = [...answers, ...answers].map(({ reference }) => reference);
      expect((await post({ model: 'tales', input })).status).toBe(200);
      const asked = all.mock.calls.flatMap(([ids]) => ids);
      const others = each.mock.calls.filter(([id]) => asked.includes(id));
      vi.restoreAllMocks();
      expect([asked.toSorted(), others]).toEqual([answers.map(({ generation }) => generation).toSorted(), []]);
      expect(job().input).toMatchObject({ messages: Array.from({ length: 6 }, () => ({ role: 'assistant', content: 'Once upon a time' })) });
    });

    it('count once, and before they are looked for', async () => {
      const limited = await createTenant(test);
      await setLimits(test, limited.user, { requestsPerMinute: 2 });
      const ask = (input: unknown) => post({ model: TEST_MODEL, input }, limited.key);
      const first = await ask('Hi');
      expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
      const { output } = (await first.json()) as { output: { id: string }[] };
      const named = output.map(({ id }) => ({ type: 'item_reference', id }));
      const second = await ask(named);
      expect([second.status, second.headers.get('x-ratelimit-remaining-requests')]).toEqual([200, '0']);
      const model = test.app.get(GenerationModel, { strict: false });
      const all = vi.spyOn(model, 'findAll');
      const third = await ask(named);
      expect([third.status, third.headers.has('retry-after'), all.mock.calls.length]).toEqual([429, true, 0]);
      vi.restoreAllMocks();
    });

    it('count when what they name is not there', async () => {
      const limited = await createTenant(test);
      await setLimits(test, limited.user, { requestsPerMinute: 1 });
      const ask = () => post({ model: TEST_MODEL, input: [{ type: 'item_reference', id: `msg_${randomUUID()}_0` }] }, limited.key);
      expect([(await ask()).status, (await ask()).status]).toEqual([404, 429]);
    });
  });

  it('take what an assistant refused', async () => {
    const refused = { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] };
    expect((await post({ model: TEST_MODEL, input: [{ role: 'user', content: 'Hi' }, refused, { role: 'user', content: 'Please' }] })).status).toBe(200);
    expect(job().input).toMatchObject({ messages: [{}, { role: 'assistant', content: 'No.' }, {}] });
  });

  it("find no other tenant's adapter", async () => {
    const other = await createTenant(test);
    expect((await post({ model: 'tales', input: 'Hi' }, other.key)).status).toBe(404);
  });

  it.each<[object, string]>([
    [{ input: undefined }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: [{ type: 'item_reference' }] }, 'input[0].type'],
    [{ input: [{ role: 'critic', content: 'x' }] }, 'input[0].role'],
    [{ input: [{ role: 'user' }] }, 'input[0].content'],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'input[0].content[0].type'],
    [{ input: ['x'] }, 'input[0]'],
    [{ input: [{ type: 'function_call', call_id: 'a', name: 'f' }] }, 'input[0].arguments'],
    [{ input: [{ type: 'function_call_output', output: 'x' }] }, 'input[0].call_id'],
    [{ input: 'x'.repeat(4_000_001) }, 'input'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    [{ tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools[0].name'],
    [{ tools: [WEATHER], tool_choice: { type: 'function', name: 'g' } }, 'tool_choice.name'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'],
    [{ max_output_tokens: 513 }, 'max_output_tokens'],
    [{ max_tokens: 5 }, 'max_tokens'],
    [{ temperature: 3 }, 'temperature'],
    [{ include: ['thoughts'] }, 'include[0]'],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ conversation: 'conv_1' }, 'conversation'],
    [{ background: true }, 'background'],
    [{ store: 1 }, 'store'],
    [{ truncation: 'last' }, 'truncation'],
    [{ reasoning: { mode: 'pro' } }, 'reasoning.mode'],
    [{ input: [{ role: 'user', content: [{ type: 'refusal', refusal: 'x' }] }] }, 'input[0].content[0].type'],
    [{ prompt: { id: 'x' } }, 'prompt'],
    [{ reasoning: { depth: 1 } }, 'reasoning'],
    [{ messages: [] }, 'messages'],
  ])('are refused by name: %#', async (change, param) => {
    const found = await refusal(change);
    expect({ status: found.status, param: found.param }).toEqual({ status: 400, param });
    expect(found.message).toContain(param);
  });

  it.each<object>([
    { reasoning: { effort: 'low', summary: 'auto' }, store: false, truncation: 'disabled', background: false, previous_response_id: null },
    { include: ['reasoning.encrypted_content'], service_tier: 'auto', user: 'u', safety_identifier: 's', prompt_cache_key: 'k', max_tool_calls: 3 },
    { stream_options: { include_obfuscation: false }, top_p: 0.5, seed: 1, top_k: 5 },
    { truncation: 'auto', reasoning: { effort: 'max', context: 'auto', mode: 'standard' }, moderation: null, context_management: null },
  ])('accept %j', async (change) => {
    expect((await post({ model: TEST_MODEL, input: 'Hi', ...change })).status).toBe(200);
  });
});
