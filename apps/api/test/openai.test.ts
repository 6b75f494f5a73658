import { generationStreamKey } from '@aril/contracts';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkAgainstContext, completeSampling } from '../src/core/generations/generation-request.js';
import { parseChatRequest } from '../src/core/openai/chat-request.js';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { find, ledgerOf, tryCancel } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { openaiClient } from './openai-client.js';
import { CACHED_TOKENS, gate, PROMPT_TOKENS, say, ScriptedRunner, type Script, tell, until } from './scripted-runner.js';

const idOf = (completion: { id: string }): string => completion.id.replace(/^(chatcmpl|cmpl)-/, '');
const MESSAGES = [{ role: 'user' as const, content: 'Tell me a story' }];

/** As many answers as asked for, of two tokens each, in turns; the first is the last to end. */
const choices: Script = async (run) => {
  const all = Array.from({ length: run.job.n }, (_, choice) => choice);
  for (const choice of all) await run.scored(`answer ${choice}`, choice);
  for (const choice of all) await run.scored('!', choice);
  for (const choice of all.slice(1)) await run.endChoice(choice, 'stop');
  await run.finish('length');
};

describe('the OpenAI endpoints', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  let client: OpenAI;
  const clientOf = (tenant: { key: { authorization: string } }): OpenAI => openaiClient(test, tenant.key);

  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    client = clientOf(one);
    await Promise.all([bringAdapter(test, one.key, 'tales', fixture('a')), bringAdapter(test, other.key, 'fables', fixture('b'))]);
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const post = (body: unknown, headers: Record<string, string> = {}, path = 'chat/completions'): Promise<Response> =>
    fetch(`${test.url}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...one.key, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  interface OpenAiError {
    error: { message: string; type: string; param: string | null; code: string };
  }

  describe('chat completions', () => {
    it('answer whole', async () => {
      const completion = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES });
      expect(completion).toMatchObject({
        object: 'chat.completion',
        model: TEST_MODEL,
        choices: [{ index: 0, finish_reason: 'stop', logprobs: null, message: { role: 'assistant', content: 'Once upon a time' } }],
        usage: {
          prompt_tokens: PROMPT_TOKENS,
          completion_tokens: 3,
          total_tokens: PROMPT_TOKENS + 3,
          prompt_tokens_details: { cached_tokens: CACHED_TOKENS },
          completion_tokens_details: { reasoning_tokens: 0 },
        },
      });
      expect(Math.abs(completion.created - Date.now() / 1000)).toBeLessThan(60);
      await until(async () => (await ledgerOf(test, idOf(completion))).length === 1);
    });

    it('stream', async () => {
      const stream = await client.chat.completions.create({
        model: 'tales',
        messages: MESSAGES,
        stream: true,
        stream_options: { include_usage: true },
      });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(new Set(chunks.map(({ id, object, model }) => `${id} ${object} ${model}`)).size).toBe(1);
      expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
      expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Once upon a time');
      expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' });
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: PROMPT_TOKENS, completion_tokens: 3 } });
      expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    });

    it('stream without usage unless asked, in events that end with [DONE]', async () => {
      const response = await post({ model: TEST_MODEL, messages: MESSAGES, stream: true });
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const text = await response.text();
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
      expect(text).not.toContain('usage');
    });

    it('work with the helper of the client that collects a stream', async () => {
      const final = await client.chat.completions.stream({ model: TEST_MODEL, messages: MESSAGES }).finalChatCompletion();
      expect(final.choices[0]?.message.content).toBe('Once upon a time');
    });

    it('stream text as it is generated, the last held-back bit included', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('first');
        await opened;
        await run.finish('length', null, ' last');
      };
      const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, stream: true });
      const texts: string[] = [];
      let reason: string | null = null;
      for await (const { choices } of stream) {
        texts.push(choices[0]?.delta.content ?? '');
        reason = choices[0]?.finish_reason ?? reason;
        if (texts.at(-1) === 'first') open();
      }
      expect(texts.join('')).toBe('first last');
      expect(reason).toBe('length');
    });

    it('map every parameter', async () => {
      await client.chat.completions.create({
        model: TEST_MODEL,
        messages: [
          { role: 'developer', content: 'Be brief.' },
          { role: 'user', content: [{ type: 'text', text: 'Hi ' }, { type: 'text', text: 'there' }] },
          { role: 'assistant', content: 'Yes?' },
          { role: 'user', content: 'Go on', name: 'maya' },
          { role: 'assistant', content: null, refusal: 'No.' },
          { role: 'assistant', content: [{ type: 'refusal', refusal: 'Not that.' }] },
        ],
        max_completion_tokens: 12,
        temperature: 0.5,
        top_p: 0.9,
        seed: -1,
        stop: 'END',
        n: 2,
        user: 'u',
        metadata: { a: 'b' },
        store: true,
        service_tier: 'auto',
        frequency_penalty: 0.5,
        presence_penalty: null,
        logit_bias: { 50: -100, 7: 2.5 },
        logprobs: true,
        top_logprobs: 4,
        response_format: { type: 'text' },
        tools: [],
        ...{ top_k: 40, min_p: 0.05, ignore_eos: true, repetition_penalty: 1.1, min_tokens: 3 },
      });
      expect(runner.jobs.at(-1)).toMatchObject({
        input: {
          kind: 'messages',
          messages: [
            { role: 'system', content: 'Be brief.' },
            { role: 'user', content: 'Hi there' },
            { role: 'assistant', content: 'Yes?' },
            { role: 'user', content: 'Go on' },
            { role: 'assistant', content: 'No.' },
            { role: 'assistant', content: 'Not that.' },
          ],
        },
        sampling: {
          maxTokens: 12,
          minTokens: 3,
          temperature: 0.5,
          topP: 0.9,
          topK: 40,
          minP: 0.05,
          repetitionPenalty: 1.1,
          frequencyPenalty: 0.5,
          presencePenalty: 0,
          logitBias: { 50: -100, 7: 2.5 },
          seed: 4294967295,
          stop: ['END'],
          ignoreEos: true,
        },
        n: 2,
        logprobs: 4,
        constraint: null,
      });
    });

    it.each([
      ['the whole context', {}, 512],
      ['the whole context with log probabilities', { logprobs: true, top_logprobs: 20 }, 512],
      ['as many as asked for', { max_tokens: 5 }, 5],
    ])('may have %s', async (_, change, maxTokens) => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, ...change })).status).toBe(200);
      expect(runner.jobs.at(-1)?.sampling).toMatchObject({ maxTokens });
      expect(runner.jobs.at(-1)?.sampling).not.toHaveProperty('maxTokensDefault');
    });

    it("give the model's template what else it may want", async () => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, chat_template_kwargs: { enable_thinking: false } })).status).toBe(200);
      expect(runner.jobs.at(-1)?.input).toEqual({ kind: 'messages', messages: MESSAGES, templateOptions: { enable_thinking: false } });
    });

    it('may have as many tokens by default as log probabilities may be asked of', () => {
      const parsed = parseChatRequest({ model: 'm', messages: MESSAGES, logprobs: true, top_logprobs: 20, n: 16 });
      const names = { target: '', input: '', maxTokens: '', minTokens: '', logprobs: '', idempotencyKey: '' };
      const [generation] = parsed.generations.map((one) => ({ ...one, idempotencyKey: null }));
      if (!generation) throw new Error('parsed into nothing');
      expect(() => checkAgainstContext(generation, 131_072, names)).not.toThrow();
      expect(completeSampling(generation.sampling, 'id', 131_072).maxTokens).toBe(1_488);
    });

    it.each([
      [2 ** 62, 0],
      [-(2 ** 63), 0],
      [2 ** 53 + 2, 2],
      [-1, 0xffff_ffff],
    ])('take the low 32 bits of the seed %d', async (given, seed) => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, seed: given })).status).toBe(200);
      expect(runner.jobs.at(-1)?.sampling.seed).toBe(seed);
    });

    it('take top_p 0 for the likeliest token alone, whatever top_k says', async () => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, top_p: 0, top_k: 40 })).status).toBe(200);
      expect(runner.jobs.at(-1)?.sampling).toMatchObject({ topP: 1, topK: 1 });
    });

    it('take an assistant without content for one that said nothing', async () => {
      expect((await post({ model: TEST_MODEL, messages: [...MESSAGES, { role: 'assistant', content: null, tool_calls: [] }] })).status).toBe(200);
      expect(runner.jobs.at(-1)?.input).toMatchObject({ messages: [{}, { role: 'assistant', content: '' }] });
    });

    it('continue the last message where they are asked to', async () => {
      const messages = [...MESSAGES, { role: 'assistant', content: 'It is ' }];
      for (const change of [{}, { add_generation_prompt: false }]) expect((await post({ model: TEST_MODEL, messages, continue_final_message: true, ...change })).status).toBe(200);
      expect(runner.jobs.at(-1)?.input).toMatchObject({ continueFinal: true, messages: [{}, { role: 'assistant', content: 'It is ' }] });
      expect((await post({ model: TEST_MODEL, messages })).status).toBe(200);
      expect(runner.jobs.at(-1)?.input).not.toHaveProperty('continueFinal');
    });

    const tool = { type: 'function', function: { name: 'f' } };
    it.each<Record<string, unknown>>([
      { skip_special_tokens: true, include_stop_str_in_output: false, spaces_between_special_tokens: true, detokenize: true },
      { spaces_between_special_tokens: false, return_token_ids: false, return_tokens_as_token_ids: false, prompt_logprobs: null },
      { moderation: null, documents: null, prompt_cache_options: { mode: 'implicit' }, reasoning_effort: 'max' },
      { length_penalty: 1, use_beam_search: false, priority: 0, best_of: 1 },
      { n: 2, best_of: 2 },
      { echo: false, add_generation_prompt: true, continue_final_message: false, add_special_tokens: false, chat_template_kwargs: {} },
      { tools: [tool], tool_choice: 'none' },
      { functions: [tool.function], function_call: 'none' },
      { reasoning_effort: 'high', verbosity: 'low' },
      { reasoning_effort: 'minimal', verbosity: 'high' },
    ])('accept %j, which changes nothing', async (change) => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, ...change })).status).toBe(200);
    });

    const schema = { type: 'object', properties: { name: { type: 'string' } } };
    it.each<[Record<string, unknown>, object]>([
      [{ response_format: { type: 'json_object' } }, { type: 'json' }],
      [{ response_format: { type: 'json_schema', json_schema: { name: 'person', schema, strict: true } } }, { type: 'jsonSchema', schema }],
      [{ response_format: { type: 'json_schema', json_schema: { name: 'anything' } } }, { type: 'json' }],
      [{ guided_json: schema }, { type: 'jsonSchema', schema }],
      [{ guided_json: JSON.stringify(schema) }, { type: 'jsonSchema', schema }],
      [{ guided_regex: '[a-z]+' }, { type: 'regex', pattern: '[a-z]+' }],
      [{ guided_choice: ['yes', 'no (2)'] }, { type: 'regex', pattern: 'yes|no \\(2\\)' }],
      [{ guided_grammar: 'root ::= "a"' }, { type: 'grammar', grammar: 'root ::= "a"' }],
      [{ structured_outputs: { json: schema } }, { type: 'jsonSchema', schema }],
      [{ structured_outputs: { json_object: true } }, { type: 'json' }],
      [{ structured_outputs: { regex: 'a|b' } }, { type: 'regex', pattern: 'a|b' }],
      [{ structured_outputs: { choice: ['a'] } }, { type: 'regex', pattern: 'a' }],
      [{ structured_outputs: { grammar: 'root ::= "a"' }, response_format: { type: 'text' } }, { type: 'grammar', grammar: 'root ::= "a"' }],
    ])('constrain the answer by %j', async (change, constraint) => {
      expect((await post({ model: TEST_MODEL, messages: MESSAGES, ...change })).status).toBe(200);
      expect(runner.jobs.at(-1)?.constraint).toEqual(constraint);
    });

    it('answer with several choices, billed as one generation', async () => {
      runner.script = choices;
      const completion = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, n: 3 });
      expect(completion.choices.map(({ index, message, finish_reason, logprobs }) => [index, message.content, finish_reason, logprobs])).toEqual([
        [0, 'answer 0!', 'length', null],
        [1, 'answer 1!', 'stop', null],
        [2, 'answer 2!', 'stop', null],
      ]);
      expect(completion.usage).toMatchObject({ prompt_tokens: PROMPT_TOKENS, completion_tokens: 6 });
      const ledger = await until(async () => {
        const rows = await ledgerOf(test, idOf(completion));
        return rows.length > 0 && rows;
      });
      expect(ledger).toMatchObject([{ prompt_tokens: PROMPT_TOKENS, completion_tokens: 6, amount_nano_usd: String(PROMPT_TOKENS * 20 + 6 * 60) }]);
    });

    it('stream several choices, each opened and ended once', async () => {
      runner.script = choices;
      const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, n: 3, stream: true });
      const texts = ['', '', ''];
      const reasons: (string | null)[][] = [[], [], []];
      const roles: number[] = [];
      for await (const { choices: pieces } of stream) {
        for (const { index, delta, finish_reason: reason } of pieces) {
          texts[index] += delta.content ?? '';
          if (delta.role) roles.push(index);
          if (reason) reasons[index]?.push(reason);
        }
      }
      expect(texts).toEqual(['answer 0!', 'answer 1!', 'answer 2!']);
      expect(reasons).toEqual([['length'], ['stop'], ['stop']]);
      expect(roles).toEqual([0, 1, 2]);
    });

    it('give log probabilities, whole and streamed', async () => {
      runner.script = choices;
      const request = { model: TEST_MODEL, messages: MESSAGES, n: 2, logprobs: true, top_logprobs: 2 };
      const top = [{ token: 'answer 1', logprob: -0.25, bytes: [...Buffer.from('answer 1')] }, { token: 't0', logprob: -1, bytes: null }];
      const whole = await client.chat.completions.create(request);
      expect(whole.choices[1]?.logprobs?.content?.[0]).toEqual({ ...top[0], top_logprobs: top });
      const streamed: (OpenAI.ChatCompletionTokenLogprob[] | undefined)[] = [[], []];
      for await (const { choices: [piece] } of await client.chat.completions.create({ ...request, stream: true })) {
        streamed[piece?.index ?? 0]?.push(...(piece?.logprobs?.content ?? []));
      }
      expect(streamed).toEqual(whole.choices.map(({ logprobs }) => logprobs?.content));
    });

    it('give the log probabilities of the chosen tokens alone', async () => {
      runner.script = choices;
      const { choices: [choice] } = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, logprobs: true });
      expect(choice?.logprobs?.content?.map(({ token, top_logprobs: top }) => [token, top])).toEqual([['answer 0', []], ['!', []]]);
    });

    it('work with the helper of the client that parses into a schema', async () => {
      runner.script = say('{"name"', ': "Nora"}');
      const format = { type: 'json_schema' as const, json_schema: { name: 'person', strict: true, schema } };
      const completion = await client.chat.completions.parse({ model: TEST_MODEL, messages: MESSAGES, response_format: format });
      expect(completion.choices[0]?.message.parsed).toEqual({ name: 'Nora' });
    });

    it.each<[Record<string, unknown>, string]>([
      [{ messages: undefined }, 'messages'],
      [{ messages: [] }, 'messages'],
      [{ messages: [{ role: 'critic', content: 'x' }] }, 'messages[0].role'],
      [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
      [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }, 'messages[0].content[0].type'],
      [{ model: undefined }, 'model'],
      [{ temperature: 3 }, 'temperature'],
      [{ temperature: 'hot' }, 'temperature'],
      [{ top_p: -0.1 }, 'top_p'],
      [{ messages: [{ role: 'user', content: null }] }, 'messages[0].content'],
      [{ max_tokens: 0 }, 'max_tokens'],
      [{ max_tokens: 100_000 }, 'max_tokens'],
      [{ stop: Array.from({ length: 9 }, (_, index) => `${index}`) }, 'stop'],
      [{ seed: 1.5 }, 'seed'],
      [{ stream_options: { include_usage: true } }, 'stream_options'],
      [{ n: 17 }, 'n'],
      [{ n: 0 }, 'n'],
      [{ top_logprobs: 2 }, 'top_logprobs'],
      [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
      [{ frequency_penalty: 2.5 }, 'frequency_penalty'],
      [{ presence_penalty: -2.5 }, 'presence_penalty'],
      [{ repetition_penalty: 0 }, 'repetition_penalty'],
      [{ min_tokens: -1 }, 'min_tokens'],
      [{ min_tokens: 9, max_tokens: 8 }, 'min_tokens'],
      [{ logit_bias: { five: 1 } }, 'logit_bias.five'],
      [{ logit_bias: { 5: 101 } }, 'logit_bias.5'],
      [{ response_format: { type: 'xml' } }, 'response_format.type'],
      [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
      [{ response_format: { type: 'json_schema', json_schema: { name: 'a b' } } }, 'response_format.json_schema.name'],
      [{ guided_json: '{' }, 'guided_json'],
      [{ guided_regex: '' }, 'guided_regex'],
      [{ guided_choice: [] }, 'guided_choice'],
      [{ guided_choice: Array.from({ length: 256 }, (_, index) => `${index}`.padEnd(1_000, 'x')) }, 'guided_choice'],
      [{ guided_choice: ['a\0'] }, 'guided_choice'],
      [{ structured_outputs: { choice: Array.from({ length: 70 }, () => '.'.repeat(1_000)) } }, 'structured_outputs.choice'],
      [{ guided_whitespace_pattern: ' ' }, 'guided_whitespace_pattern'],
      [{ structured_outputs: { structural_tag: 'x' } }, 'structured_outputs'],
      [{ guided_regex: 'a', response_format: { type: 'json_object' } }, 'guided_regex'],
      [{ functions: [{ name: 'f' }] }, 'functions'],
      [{ function_call: { name: 'f' } }, 'function_call'],
      [{ tool_choice: 'required' }, 'tool_choice'],
      [{ skip_special_tokens: false }, 'skip_special_tokens'],
      [{ include_stop_str_in_output: true }, 'include_stop_str_in_output'],
      [{ length_penalty: 1.1 }, 'length_penalty'],
      [{ use_beam_search: true }, 'use_beam_search'],
      [{ priority: 1 }, 'priority'],
      [{ return_token_ids: true }, 'return_token_ids'],
      [{ echo: true }, 'echo'],
      [{ add_generation_prompt: false }, 'add_generation_prompt'],
      [{ continue_final_message: true }, 'continue_final_message'],
      [{ continue_final_message: true, messages: [{ role: 'assistant', content: '' }] }, 'continue_final_message'],
      [{ continue_final_message: true, add_generation_prompt: true, messages: [{ role: 'assistant', content: 'It' }] }, 'add_generation_prompt'],
      [{ best_of: 2 }, 'best_of'],
      [{ prompt_logprobs: 0 }, 'prompt_logprobs'],
      [{ chat_template_kwargs: { 'a b': false } }, 'chat_template_kwargs.a b'],
      [{ chat_template_kwargs: { messages: [] } }, 'chat_template_kwargs.messages'],
      [{ reasoning_effort: 'utmost' }, 'reasoning_effort'],
      [{ store: 'always' }, 'store'],
      [{ messages: [{ role: 'user', content: [{ type: 'refusal', refusal: 'x' }] }] }, 'messages[0].content[0].type'],
      [{ no_such_parameter: 1 }, 'no_such_parameter'],
      [{ toString: 1 }, 'toString'],
    ])('refuse %j, naming %s', async (change, param) => {
      const response = await post({ model: TEST_MODEL, messages: MESSAGES, ...change });
      const { error } = (await response.json()) as OpenAiError;
      expect({ status: response.status, type: error.type, param: error.param }).toEqual({ status: 400, type: 'invalid_request_error', param });
      expect(error.message).toContain(param);
    });

    it('refuse an unknown model with 404', async () => {
      const failed = client.chat.completions.create({ model: 'no-such', messages: MESSAGES });
      await expect(failed).rejects.toBeInstanceOf(OpenAI.NotFoundError);
      await expect(failed).rejects.toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' });
    });

    it("refuse another tenant's adapter in the same words", async () => {
      await expect(clientOf(other).chat.completions.create({ model: 'tales', messages: MESSAGES })).rejects.toMatchObject({
        status: 404,
        code: 'model_not_found',
      });
    });

    it.each([
      ['no credentials', { authorization: '' }],
      ['a wrong key', { authorization: 'Bearer aril_wrong' }],
    ])('refuse %s', async (_, headers) => {
      const response = await post({ model: TEST_MODEL, messages: MESSAGES }, headers);
      expect(response.status).toBe(401);
      expect((await response.json()) as OpenAiError).toMatchObject({ error: { type: 'authentication_error' } });
    });

    it.each(['api-key', 'x-api-key'])('take a key in %s as well', async (name) => {
      const status = async (headers: Record<string, string>) => (await fetch(`${test.url}/v1/models`, { headers })).status;
      const key = one.key.authorization.replace('Bearer ', '');
      expect(await status({ [name]: key })).toBe(200);
      expect(await status({ [name]: 'aril_wrong' })).toBe(401);
      expect(await status({ [name]: `Bearer ${key}` })).toBe(401);
      // The usual header counts where both are given, and a key counts more than a session.
      expect(await status({ [name]: 'aril_wrong', ...one.key })).toBe(200);
      expect(await status({ [name]: key, authorization: 'Bearer aril_wrong' })).toBe(401);
      expect(await status({ [name]: key, ...one.user.cookie })).toBe(200);
      expect(await status({ 'api-key': name === 'api-key' ? key : 'aril_wrong', 'x-api-key': name === 'api-key' ? 'aril_wrong' : key })).toBe(name === 'api-key' ? 200 : 401);
    });

    it("refuse a browser's session", async () => {
      const { authorization: _, ...rest } = { authorization: '', ...one.user.cookie };
      const response = await fetch(`${test.url}/v1/models`, { headers: rest });
      expect(response.status).toBe(401);
    });

    it('refuse bodies that are no JSON object or too large', async () => {
      const object = 'The request body: expected a JSON object, sent as application/json, found';
      const told: [string, number, string][] = [
        ['[1]', 400, `${object} a list of 1.`],
        ['null', 400, `${object} null.`],
        ['"x"', 400, `${object} "x".`],
        ['{', 400, 'The body is not valid JSON.'],
        [JSON.stringify({ x: 'x'.repeat(9_000_000) }), 413, 'The body is too large: found 9000008 bytes, expected at most 8388608 bytes.'],
      ];
      for (const [body, status, message] of told) {
        const response = await post(body);
        const { error } = (await response.json()) as OpenAiError;
        expect([response.status, error.message, error.param]).toEqual([status, message, null]);
      }
    });

    it.each<[object, string]>([
      [{ temperature: 'hot' }, 'temperature: Invalid input: expected number, found "hot".'],
      [{ messages: undefined }, 'messages: Invalid input: expected array, found nothing.'],
      [{ user: 5 }, 'user: Invalid input: expected string, found 5.'],
    ])('say once what was found in %j', async (change, message) => {
      const response = await post({ model: TEST_MODEL, messages: MESSAGES, ...change });
      expect(((await response.json()) as OpenAiError).error.message).toBe(message);
    });

    it('fail with 400 when the constraint cannot be compiled', async () => {
      runner.script = async (run) => void (await run.finish('error', { code: 'CONSTRAINT_INVALID', message: 'regex: unclosed group' }));
      const body = { model: TEST_MODEL, messages: MESSAGES, guided_regex: '(' };
      await expect(client.chat.completions.create(body)).rejects.toMatchObject({ status: 400, code: 'constraint_invalid', param: 'guided_regex' });
    });

    it.each([false, true])("tell a context that is full in OpenAI's words (stream: %s)", async (stream) => {
      const message = "promptTokens: found 600 tokens; expected at most 511, because the model's context is 512 positions.";
      runner.script = async (run) => void (await run.finish('error', { code: 'CONTEXT_TOO_LONG', message }));
      const failed = client.chat.completions.create({ model: 'tales', messages: MESSAGES, stream });
      await expect(failed).rejects.toMatchObject({
        status: 400,
        code: 'context_length_exceeded',
        type: 'invalid_request_error',
        param: 'messages',
        message: expect.stringContaining("This model's maximum context length is 512 tokens") as string,
      });
      await expect(failed).rejects.toThrow('600 tokens');
    });

    it("tell it in OpenAI's words under way too", async () => {
      runner.script = async (run) => {
        await run.tokens('so far');
        await run.finish('error', { code: 'CONTEXT_TOO_LONG', message: 'The prompt does not fit the context.' });
      };
      const text = await (await post({ model: TEST_MODEL, messages: MESSAGES, stream: true })).text();
      expect(text).toContain('"code":"context_length_exceeded"');
      expect(text).toContain("This model's maximum context length is 512 tokens");
    });

    const wrongType = (field: string) => `${field}: found "objekt"; expected a type.`;
    const wrongPattern = 'constraint.pattern: found "("; expected what XGrammar can compile. It says: unclosed.';
    const jsonSchema = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'objekt' } } };
    const unlike = "messages: the model's chat template refused them: roles must alternate";
    it.each<[Record<string, unknown>, 'BAD_INPUT' | 'CONSTRAINT_INVALID' | 'CONSTRAINT_DEAD_END', string, string]>([
      [{ logit_bias: { 999999: 1 } }, 'BAD_INPUT', 'sampling.logitBias.999999: found this token id; expected one from 0 to 9.', 'logit_bias.999999'],
      [{ stop_token_ids: [99] }, 'BAD_INPUT', 'stopTokens[0]: found 99; expected a token id from 0 to 9.', 'stop_token_ids[0]'],
      [{ guided_regex: 'a', ignore_eos: true }, 'BAD_INPUT', 'ignoreEos: found true; expected false with a constraint.', 'ignore_eos'],
      [{}, 'BAD_INPUT', 'promptTokens: found no tokens; expected at least one.', 'messages'],
      [{}, 'BAD_INPUT', unlike, 'messages'],
      [{ response_format: jsonSchema }, 'CONSTRAINT_INVALID', wrongType('constraint.schema.type'), 'response_format.json_schema.schema.type'],
      [{ guided_json: { type: 'objekt' } }, 'CONSTRAINT_INVALID', wrongType('constraint.schema.type'), 'guided_json.type'],
      [{ structured_outputs: { json: { type: 'objekt' } } }, 'CONSTRAINT_INVALID', wrongType('constraint.schema.type'), 'structured_outputs.json.type'],
      [{ guided_regex: '(' }, 'CONSTRAINT_INVALID', wrongPattern, 'guided_regex'],
      [{ guided_choice: ['('] }, 'CONSTRAINT_INVALID', wrongPattern, 'guided_choice'],
      [{ guided_grammar: '(' }, 'CONSTRAINT_INVALID', 'constraint.grammar: found a class; expected ASCII.', 'guided_grammar'],
      [{ structured_outputs: { grammar: '(' } }, 'CONSTRAINT_INVALID', 'constraint: found 300000 characters; expected fewer.', 'structured_outputs.grammar'],
      [{ guided_regex: 'a' }, 'CONSTRAINT_DEAD_END', 'The constraint allows no token here; expected at least one.', 'guided_regex'],
      [{ response_format: { type: 'json_object' } }, 'CONSTRAINT_DEAD_END', 'The constraint allows no token here.', 'response_format'],
    ])("name the caller's own parameter, given %j, when the engine fails with %s: %s", async (change, code, message, param) => {
      runner.script = async (run) => void (await run.finish('error', { code, message }));
      for (const stream of [false, true]) {
        const response = await post({ model: TEST_MODEL, messages: MESSAGES, stream, ...change });
        const { error } = (await response.json()) as OpenAiError;
        expect(error).toMatchObject({ param, code: code.toLowerCase() });
        expect(error.message.startsWith(`${param}: `)).toBe(true);
        expect(error.message).not.toMatch(/promptTokens|logitBias|constraint\.\w|stopTokens/);
      }
      runner.script = async (run) => {
        await run.tokens('so far');
        await run.finish('error', { code, message });
      };
      const streamed = await (await post({ model: TEST_MODEL, messages: MESSAGES, stream: true, ...change })).text();
      expect(streamed).toContain(`"param":"${param}"`);
    });

    it('tell a failure under way as an error event', async () => {
      runner.script = async (run) => {
        await run.tokens('so far');
        await run.finish('error', { code: 'RUNNER_LOST', message: 'the runner is gone' });
      };
      const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, stream: true });
      const texts: string[] = [];
      const reading = (async () => {
        for await (const { choices } of stream) texts.push(choices[0]?.delta.content ?? '');
      })();
      await expect(reading).rejects.toMatchObject({ code: 'runner_lost', message: expect.stringContaining('the runner is gone') as string });
      expect(texts.join('')).toBe('so far');
    });

    it('carry the request id', async () => {
      const response = await post({ model: TEST_MODEL, messages: MESSAGES }, { 'x-request-id': 'my-request-1' });
      expect(response.headers.get('x-request-id')).toBe('my-request-1');
    });

    it.each(['chat', 'text', 'stream'])('say in a word of OpenAI that somebody else has cancelled: cut short (%s)', async (kind) => {
      runner.script = async (run) => {
        const cancelled = run.cancelled();
        await run.tokens('so far');
        await cancelled;
        await run.finish('cancelled');
      };
      const before = runner.jobs.length;
      const answer = (async () => {
        if (kind === 'chat') return (await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES })).choices;
        if (kind === 'text') return (await client.completions.create({ model: TEST_MODEL, prompt: 'x' })).choices;
        const chunks = [];
        for await (const chunk of await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, stream: true })) chunks.push(chunk);
        return chunks.at(-1)?.choices;
      })();
      const { generationId } = await until(() => runner.jobs.at(before));
      await until(async () => (await find(test, one.key, generationId)).status === 'RUNNING');
      await tryCancel(test, one.key, generationId);
      expect((await answer)?.[0]).toMatchObject({ finish_reason: 'length', ...(kind === 'chat' && { message: { content: 'so far' } }) });
    });
  });

  describe('a client that leaves', () => {
    const endless = async (run: Parameters<ScriptedRunner['script']>[0]): Promise<void> => {
      const cancelled = run.cancelled();
      await run.tokens('so far', 2);
      await cancelled;
      await run.finish('cancelled');
    };

    it.each([true, false])('cancels its generation, which is billed so far (stream: %s)', async (stream) => {
      runner.script = endless;
      const before = runner.jobs.length;
      const abort = new AbortController();
      const answer = client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, stream }, { signal: abort.signal });
      const job = await until(() => runner.jobs.at(before));
      await until(async () => (await find(test, one.key, job.generationId)).status === 'RUNNING');
      if (stream) await (await answer as AsyncIterable<unknown>)[Symbol.asyncIterator]().next();
      abort.abort();
      if (!stream) await expect(answer).rejects.toThrow();
      const ended = await until(async () => {
        const found = await find(test, one.key, job.generationId);
        return found.finishedAt !== null && found;
      });
      expect(ended).toMatchObject({ status: 'CANCELLED', completionTokens: 2, amount: String(PROMPT_TOKENS * 20 + 2 * 60) });
    });

    it('and will ask again by its idempotency key keeps its generation', async () => {
      const { opened, open } = gate();
      runner.script = async (run) => {
        await run.tokens('first');
        await opened;
        await run.finish('stop', null, ' last');
      };
      const before = runner.jobs.length;
      const headers = { 'Idempotency-Key': 'retry-1' };
      const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, stream: true }, { headers });
      for await (const { choices } of stream) if (choices[0]?.delta.content === 'first') break;
      open();
      const again = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES }, { headers });
      expect(again.choices[0]?.message.content).toBe('first last');
      expect(runner.jobs.length).toBe(before + 1);
    });
  });

  it('take an idempotency key: same request, same answer; another request, 409', async () => {
    const options = { headers: { 'Idempotency-Key': 'order-66' } };
    const before = runner.jobs.length;
    const ask = (content: string) => client.chat.completions.create({ model: TEST_MODEL, messages: [{ role: 'user', content }] }, options);
    const answers = await Promise.all([ask('a'), ask('a'), ask('a')]);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(runner.jobs.length).toBe(before + 1);
    await expect(ask('b')).rejects.toMatchObject({ status: 409, code: 'idempotency_mismatch', param: 'Idempotency-Key' });
    // The same key of another tenant is another key.
    const theirs = await clientOf(other).chat.completions.create({ model: TEST_MODEL, messages: [{ role: 'user', content: 'b' }] }, options);
    expect(theirs.id).not.toBe(answers[0]?.id);
  });

  describe('completions', () => {
    it.each<[string, string | string[] | number[] | number[][], object]>([
      ['a text', 'Once', { kind: 'prompt', prompt: 'Once' }],
      ['a list of one text', ['Once'], { kind: 'prompt', prompt: 'Once' }],
      ['token ids', [1, 2, 3], { kind: 'tokens', tokens: [1, 2, 3] }],
      ['a list of one list of token ids', [[1, 2]], { kind: 'tokens', tokens: [1, 2] }],
    ])('take %s', async (_, prompt, input) => {
      runner.script = say(' upon');
      const completion = await client.completions.create({ model: TEST_MODEL, prompt });
      expect(runner.jobs.at(-1)).toMatchObject({ input, sampling: { maxTokens: 16 } });
      expect(completion).toMatchObject({
        object: 'text_completion',
        choices: [{ index: 0, text: ' upon', finish_reason: 'stop', logprobs: null }],
        usage: { prompt_tokens: PROMPT_TOKENS, completion_tokens: 1 },
      });
    });

    it('stream', async () => {
      const stream = await client.completions.create({ model: TEST_MODEL, prompt: 'x', stream: true, stream_options: { include_usage: true } });
      let text = '';
      let last: OpenAI.Completion | null = null;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.text ?? '';
        last = chunk;
      }
      expect(text).toBe('Once upon a time');
      expect(last).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
    });

    it('give several choices with log probabilities in the older shape, whole and streamed', async () => {
      runner.script = choices;
      const request = { model: TEST_MODEL, prompt: 'x', n: 2, best_of: 2, logprobs: 1 };
      const expected = (index: number) => ({
        tokens: [`answer ${index}`, '!'],
        token_logprobs: [-0.25, -0.25],
        top_logprobs: [{ [`answer ${index}`]: -0.25 }, { '!': -0.25 }],
        text_offset: [0, 8],
      });
      const whole = await client.completions.create(request);
      expect(whole.choices).toMatchObject([0, 1].map((index) => ({ index, text: `answer ${index}!`, logprobs: expected(index) })));
      const offsets: number[][] = [[], []];
      const texts = ['', ''];
      for await (const { choices: [piece] } of await client.completions.create({ ...request, stream: true })) {
        texts[piece?.index ?? 0] += piece?.text ?? '';
        offsets[piece?.index ?? 0]?.push(...(piece?.logprobs?.text_offset ?? []));
      }
      expect(texts).toEqual(['answer 0!', 'answer 1!']);
      expect(offsets).toEqual([[0, 8], [0, 8]]);
    });

    it.each<[Record<string, unknown>, string]>([
      [{ prompt: [] }, 'prompt'],
      [{ prompt: Array.from({ length: 129 }, () => 'a') }, 'prompt'],
      [{ prompt: ['x'.repeat(2_500_000), 'x'.repeat(2_500_000)] }, 'prompt'],
      [{ prompt: Array.from({ length: 128 }, () => 'a'), max_tokens: 300, n: 2, logprobs: 20 }, 'logprobs'],
      [{ prompt: [1, 'a'] }, 'prompt'],
      [{ prompt: [-1] }, 'prompt[0]'],
      [{ prompt: Array(129).fill('a') }, 'prompt'],
      [{ prompt: [Array(129).fill('a')] }, 'prompt'],
      [{ prompt: undefined }, 'prompt'],
      [{ echo: 'yes' }, 'echo'],
      [{ max_tokens: 0 }, 'max_tokens'],
      [{ max_tokens: 0, echo: false }, 'max_tokens'],
      [{ max_tokens: 0, echo: true, min_tokens: 1 }, 'min_tokens'],
      [{ echo: true, prompt: 'x'.repeat(130_000), logprobs: 3 }, 'logprobs'],
      [{ logprobs: 21 }, 'logprobs'],
      [{ best_of: 2 }, 'best_of'],
      [{ n: 2, best_of: 3 }, 'best_of'],
      [{ suffix: 'x' }, 'suffix'],
      [{ add_special_tokens: false }, 'add_special_tokens'],
      [{ tools: [] }, 'tools'],
    ])('refuse %j', async (change, param) => {
      const response = await post({ model: TEST_MODEL, prompt: 'x', ...change }, {}, 'completions');
      const { error } = (await response.json()) as OpenAiError;
      expect({ status: response.status, param: error.param }).toEqual({ status: 400, param });
    });

    describe('with the prompt', () => {
      const answer: Script = async (run) => {
        await run.prompt('The', ' cat', ' sat');
        for (const choice of Array.from({ length: run.job.n }, (_, index) => index)) await run.scored(` ${choice}`, choice);
        if (run.job.n > 1) await run.endChoice(1, 'stop');
        await run.finish('length');
      };
      const request = { model: TEST_MODEL, prompt: 'The cat sat', echo: true, n: 2 };
      const expected = (index: number) => ({
        tokens: ['The', ' cat', ' sat', ` ${index}`],
        token_logprobs: [null, -0.25, -0.25, -0.25],
        top_logprobs: [null, { ' cat': -0.25 }, { ' sat': -0.25 }, { [` ${index}`]: -0.25 }],
        text_offset: [0, 3, 7, 11],
      });
      beforeEach(() => {
        runner.script = answer;
      });

      it('begin with it in every choice', async () => {
        const { choices: given, usage } = await client.completions.create(request);
        expect(given.map(({ text, logprobs }) => [text, logprobs])).toEqual([['The cat sat 0', null], ['The cat sat 1', null]]);
        expect(usage).toMatchObject({ prompt_tokens: PROMPT_TOKENS, completion_tokens: 2 });
      });

      it('have the log probabilities of its tokens, of the first of which there is none', async () => {
        const { choices: given } = await client.completions.create({ ...request, logprobs: 1 });
        expect(given.map(({ logprobs }) => logprobs)).toEqual([0, 1].map(expected));
        expect(runner.jobs.at(-1)).toMatchObject({ echo: true, logprobs: 1 });
      });

      it('are it alone when no token is to follow, whole and streamed', async () => {
        runner.script = async (run) => {
          await run.prompt('The', ' cat', ' sat');
          await run.finish('length');
        };
        const scored = { ...request, n: 1, logprobs: 1, max_tokens: 0 };
        const { choices: given, usage, id } = await client.completions.create(scored);
        const logprobs = Object.fromEntries(Object.entries(expected(0)).map(([name, list]) => [name, list.slice(0, 3)]));
        expect(given).toEqual([{ index: 0, text: 'The cat sat', logprobs, finish_reason: 'length' }]);
        expect(usage).toMatchObject({ prompt_tokens: PROMPT_TOKENS, completion_tokens: 0, total_tokens: PROMPT_TOKENS });
        expect(runner.jobs.at(-1)?.sampling).toMatchObject({ maxTokens: 0 });
        await until(async () => (await ledgerOf(test, id.replace('cmpl-', ''))).length === 1);
        expect(await ledgerOf(test, id.replace('cmpl-', ''))).toMatchObject([{ prompt_tokens: PROMPT_TOKENS, completion_tokens: 0 }]);
        const pieces: (string | null | undefined)[] = [];
        for await (const { choices: [piece] } of await client.completions.create({ ...scored, stream: true })) pieces.push(piece?.text, piece?.finish_reason);
        expect(pieces).toEqual(['The cat sat', null, '', 'length']);
      });

      it('stream it first', async () => {
        const texts = ['', ''];
        const offsets: number[][] = [[], []];
        for await (const { choices: [piece] } of await client.completions.create({ ...request, logprobs: 1, stream: true })) {
          texts[piece?.index ?? 0] += piece?.text ?? '';
          offsets[piece?.index ?? 0]?.push(...(piece?.logprobs?.text_offset ?? []));
        }
        expect(texts).toEqual(['The cat sat 0', 'The cat sat 1']);
        expect(offsets).toEqual([0, 1].map((index) => expected(index).text_offset));
      });

      it('are not given without it again when it is no longer kept', async () => {
        const options = { headers: { 'idempotency-key': 'with the prompt' } };
        const first = await client.completions.create(request, options);
        await until(async () => (await find(test, one.key, idOf(first))).finishedAt !== null);
        expect((await client.completions.create(request, options)).choices).toEqual(first.choices);
        await runner.redis.del(generationStreamKey(idOf(first)));
        await expect(client.completions.create(request, options)).rejects.toMatchObject({ status: 409, param: 'Idempotency-Key' });
      });
    });

    describe('of several prompts', () => {
      const PROMPTS = ['one', 'two', 'three'];
      /** Two answers that begin with their prompt; the later a prompt, the earlier it ends. */
      const answerInReverse: Script = async (run) => {
        const { input } = run.job;
        const prompt = input.kind === 'prompt' ? input.prompt : '';
        const earlier = PROMPTS.length - 1 - PROMPTS.indexOf(prompt);
        await until(() => ended.length >= earlier);
        for (const choice of [0, 1]) await run.scored(`${prompt} ${choice}`, choice);
        await run.endChoice(1, 'stop');
        await run.finish('length');
        ended.push(prompt);
      };
      let ended: string[] = [];
      const texts = PROMPTS.flatMap((prompt) => [`${prompt} 0`, `${prompt} 1`]);
      const usage = { prompt_tokens: 3 * PROMPT_TOKENS, completion_tokens: 6, total_tokens: 3 * PROMPT_TOKENS + 6 };
      const failing: Script = async (run) => {
        const { input } = run.job;
        if (input.kind === 'prompt' && input.prompt === 'two') return void (await run.finish('error', { code: 'CONTEXT_TOO_LONG', message: 'promptTokens: found 600 tokens; expected fewer.' }));
        await run.cancelled();
        await run.finish('cancelled');
      };
      const statusesSince = (before: number): Promise<string[]> =>
        Promise.all(runner.jobs.slice(before).map(async ({ generationId }) => (await find(test, one.key, generationId)).status));
      beforeEach(() => {
        ended = [];
        runner.script = answerInReverse;
      });

      it('are numbered through in the order of the prompts, and each is billed by itself', async () => {
        const before = runner.jobs.length;
        const whole = await client.completions.create({ model: TEST_MODEL, prompt: PROMPTS, n: 2, logprobs: 0 });
        expect(whole.choices.map(({ index, text, finish_reason: reason }) => [index, text, reason])).toEqual(
          texts.map((text, index) => [index, text, index % 2 ? 'stop' : 'length']),
        );
        expect(whole.choices.map(({ logprobs }) => logprobs?.tokens)).toEqual(texts.map((text) => [text]));
        expect(whole.usage).toMatchObject(usage);
        // The last one's answer can be here before its script is at its end.
        await until(() => ended.length === PROMPTS.length);
        expect(ended).toEqual(['three', 'two', 'one']);
        for (const { generationId } of runner.jobs.slice(before)) await until(async () => (await ledgerOf(test, generationId)).length === 1);
      });

      it('stream beside each other, with one count of all', async () => {
        const seen: string[] = texts.map(() => '');
        const reasons: (string | null)[][] = texts.map(() => []);
        let last: OpenAI.Completion | null = null;
        const request = { model: TEST_MODEL, prompt: PROMPTS, n: 2, stream: true as const, stream_options: { include_usage: true } };
        for await (const chunk of await client.completions.create(request)) {
          last = chunk;
          for (const { index, text, finish_reason: reason } of chunk.choices) {
            seen[index] += text;
            if (reason) reasons[index]?.push(reason);
          }
        }
        expect(seen).toEqual(texts);
        expect(reasons).toEqual(texts.map((_, index) => [index % 2 ? 'stop' : 'length']));
        expect(last).toMatchObject({ choices: [], usage });
      });

      it('take lists of token ids', async () => {
        runner.script = say('.');
        const before = runner.jobs.length;
        const { choices: given } = await client.completions.create({ model: TEST_MODEL, prompt: [[1, 2], [3]] });
        expect(given.map(({ index }) => index)).toEqual([0, 1]);
        const tokens = runner.jobs.slice(before).map(({ input }) => (input.kind === 'tokens' ? input.tokens : null));
        expect(tokens.sort((a, b) => (b?.length ?? 0) - (a?.length ?? 0))).toEqual([[1, 2], [3]]);
      });

      it('name the prompt that does not fit, and run none', async () => {
        const before = runner.jobs.length;
        const long = Array.from({ length: 512 }, () => 1);
        const response = await post({ model: TEST_MODEL, prompt: [long, [1]] }, {}, 'completions');
        expect(((await response.json()) as OpenAiError).error).toMatchObject({
          code: 'context_length_exceeded',
          param: 'prompt[0]',
          message: expect.stringContaining("This model's maximum context length is 512 tokens") as string,
        });
        expect(runner.jobs.length).toBe(before);
      });

      it.each([false, true])('fail together, and cost nothing (stream: %s)', async (stream) => {
        runner.script = failing;
        const before = runner.jobs.length;
        const response = await post({ model: TEST_MODEL, prompt: PROMPTS, stream }, {}, 'completions');
        expect(response.status).toBe(400);
        expect(((await response.json()) as OpenAiError).error).toMatchObject({
          code: 'context_length_exceeded',
          param: 'prompt[1]',
          message: expect.stringContaining('600 tokens') as string,
        });
        await until(async () => (await statusesSince(before)).join() === 'FAILED,FAILED,FAILED');
        for (const { generationId } of runner.jobs.slice(before)) expect((await find(test, one.key, generationId)).amount).toBe('0');
      });

      it('are cancelled together when the client leaves', async () => {
        runner.script = failing;
        const before = runner.jobs.length;
        const abort = new AbortController();
        const answer = client.completions.create({ model: TEST_MODEL, prompt: ['one', 'three'] }, { signal: abort.signal });
        await until(() => runner.jobs.length === before + 2);
        abort.abort();
        await expect(answer).rejects.toThrow();
        await until(async () => (await statusesSince(before)).join() === 'CANCELLED,CANCELLED');
      });

      it('are found again by one idempotency key', async () => {
        const before = runner.jobs.length;
        const options = { headers: { 'idempotency-key': 'several prompts' } };
        const ask = (): Promise<OpenAI.Completion> => client.completions.create({ model: TEST_MODEL, prompt: PROMPTS, n: 2 }, options);
        expect(await ask()).toEqual(await ask());
        expect(runner.jobs.length).toBe(before + 3);
      });
    });

    it('refuse token ids that fill the context', async () => {
      const response = await post({ model: TEST_MODEL, prompt: Array.from({ length: 512 }, () => 1) }, {}, 'completions');
      expect(((await response.json()) as OpenAiError).error).toMatchObject({ code: 'context_length_exceeded', param: 'prompt' });
    });

    it.each<[number[] | number[][], string]>([
      [[1, 99], 'prompt[1]'],
      [[[1], [1, 99]], 'prompt[1][1]'],
    ])('name the token of %j that the model has not', async (prompt, param) => {
      runner.script = async (run) => {
        const { input } = run.job;
        const at = input.kind === 'tokens' ? input.tokens.indexOf(99) : -1;
        if (at < 0) return void (await run.finish('stop'));
        await run.finish('error', { code: 'BAD_INPUT', message: `promptTokens[${at}]: found 99; expected a token id from 0 to 9.` });
      };
      const response = await post({ model: TEST_MODEL, prompt }, {}, 'completions');
      const { error } = (await response.json()) as OpenAiError;
      expect(error).toMatchObject({ param, message: `${param}: found 99; expected a token id from 0 to 9.` });
    });

    it('need credentials', async () => {
      expect((await post({ model: TEST_MODEL, prompt: 'x' }, { authorization: '' }, 'completions')).status).toBe(401);
    });
    it("do not find another tenant's adapter", async () => {
      await expect(clientOf(other).completions.create({ model: 'tales', prompt: 'x' })).rejects.toMatchObject({ status: 404 });
    });
  });

  describe('models', () => {
    it("are the base models and the tenant's adapters", async () => {
      const models = await client.models.list();
      expect(models.data.map(({ id }) => id)).toEqual([TEST_MODEL, 'tales']);
      expect(models.data.map((model) => Reflect.get(model, 'max_model_len') as unknown)).toEqual([512, 512]);
      expect(models.data[1]).toMatchObject({ object: 'model', owned_by: one.id, parent: TEST_MODEL, created: expect.any(Number) as number });
      expect((await clientOf(other).models.list()).data.map(({ id }) => id)).toEqual([TEST_MODEL, 'fables']);
    });
    it('are found one by one, within the tenant', async () => {
      expect(await client.models.retrieve('tales')).toMatchObject({ id: 'tales' });
      await expect(client.models.retrieve('fables')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
      await expect(client.models.retrieve('no/such')).rejects.toMatchObject({ status: 404 });
    });
    it('need credentials', async () => {
      expect((await fetch(`${test.url}/v1/models`)).status).toBe(401);
      expect((await fetch(`${test.url}/v1/models/tales`)).status).toBe(401);
    });
  });

  it('serve two tenants with an adapter each at once, streaming and not', async () => {
    runner.script = async (run) => {
      for (const part of [run.job.tenantId, ' ', run.job.adapter?.sha256 ?? '']) await run.tokens(part);
      await run.finish('stop');
    };
    const ask = async (tenant: typeof one, model: string, stream: boolean): Promise<string> => {
      const body = { model, messages: MESSAGES };
      if (!stream) return (await clientOf(tenant).chat.completions.create(body)).choices[0]?.message.content ?? '';
      let text = '';
      for await (const { choices } of await clientOf(tenant).chat.completions.create({ ...body, stream })) text += choices[0]?.delta.content ?? '';
      return text;
    };
    const texts = await Promise.all(
      Array.from({ length: 24 }, (_, index) => (index % 2 ? ask(one, 'tales', index % 3 === 0) : ask(other, 'fables', index % 3 === 0))),
    );
    expect(new Set(texts.filter((_, index) => index % 2)).size).toBe(1);
    expect(new Set(texts.filter((_, index) => index % 2 === 0)).size).toBe(1);
    expect(texts[1]).toContain(one.id);
    expect(texts[0]).toContain(other.id);
    expect(texts[0]?.split(' ')[1]).not.toBe(texts[1]?.split(' ')[1]);
  });

  it.each([
    ['GET', 'embeddings'],
    ['POST', 'embeddings'],
    ['POST', 'assistants'],
    ['POST', 'audio/speech'],
    ['GET', 'chat/completions'],
    ['GET', ''],
  ])('answer %s /v1/%s in the same format, with what there is', async (method, path) => {
    const response = await fetch(`${test.url}/v1/${path}`, { method, headers: one.key });
    expect(response.status).toBe(404);
    const { error } = (await response.json()) as OpenAiError;
    expect(error).toMatchObject({ type: 'not_found_error', param: null });
    for (const endpoint of [`${method} /v1/${path}`, 'POST /v1/chat/completions', 'POST /v1/completions', 'GET /v1/models']) {
      expect(error.message).toContain(endpoint);
    }
  });
});
