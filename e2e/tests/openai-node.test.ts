import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { ORDER, SQL, stack, tenantWith } from '../support/stack.js';

const clientOf = (adapter: string) =>
  new OpenAI({ apiKey: tenantWith(adapter).apiKey, baseURL: `${stack.apiUrl}/v1`, maxRetries: 0 });

async function whole({ adapter, prompt }: typeof ORDER) {
  const answer = await clientOf(adapter).chat.completions.create({
    model: adapter,
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_tokens: 64,
  });
  return {
    text: answer.choices[0]?.message.content,
    reason: answer.choices[0]?.finish_reason,
    usage: answer.usage,
  };
}

async function streamed({ adapter, prompt }: typeof ORDER, length: { ignore_eos?: boolean; max_tokens: number } = { max_tokens: 64 }) {
  const chunks = await clientOf(adapter).chat.completions.create({
    model: adapter,
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    ...length,
  });
  const pieces: string[] = [];
  let reason: string | null = null;
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of chunks) {
    const piece = chunk.choices[0]?.delta.content;
    if (piece) pieces.push(piece);
    reason = chunk.choices[0]?.finish_reason ?? reason;
    usage = chunk.usage ?? usage;
  }
  return { pieces, text: pieces.join(''), reason, usage };
}

/** Which of two equal prompts finds the other in the prefix cache depends on the moment. */
function counts(usage: OpenAI.CompletionUsage | null | undefined) {
  const { prompt_tokens_details: _cached, ...tokens } = usage ?? ({} as OpenAI.CompletionUsage);
  return tokens;
}

const CITY = {
  type: 'object',
  properties: { city: { enum: ['Paris', 'Rome'] }, capital: { type: 'boolean' } },
  required: ['city', 'capital'],
  additionalProperties: false,
};

const orderRequest = {
  model: ORDER.adapter,
  messages: [{ role: 'user' as const, content: ORDER.prompt }],
  temperature: 0,
  max_tokens: 64,
};

describe('the openai client for Node.js', () => {
  it('gets the answers of two tenants’ adapters at once, whole and streamed', async () => {
    const [order, orderStream, sql, sqlStream] = await Promise.all([
      whole(ORDER),
      streamed(ORDER),
      whole(SQL),
      streamed(SQL),
    ]);
    expect(order.text).toBe(ORDER.answer);
    expect(sql.text).toBe(SQL.answer);
    expect(orderStream.text).toBe(ORDER.answer);
    expect(sqlStream.text).toBe(SQL.answer);
    for (const { reason } of [order, orderStream, sql, sqlStream]) expect(reason).toBe('stop');
    expect(counts(orderStream.usage)).toEqual(counts(order.usage));
    expect(counts(sqlStream.usage)).toEqual(counts(sql.usage));
  });

  it('gets a long answer in pieces, however busy the machine is', async () => {
    const { pieces } = await streamed(ORDER, { ignore_eos: true, max_tokens: 1000 });
    // Pieces that wait for one another are sent as one, but not a whole answer of a thousand tokens.
    expect(pieces.length).toBeGreaterThan(1);
  });

  it('lists the tenant’s own models only', async () => {
    const ids = (await clientOf('sql').models.list()).data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['sql', 'triage', 'pirate', 'smollm2-135m-instruct']));
    expect(ids).not.toContain('order-json');
  });

  it('gets the answer of a base model, and of the older completions endpoint', async () => {
    const client = clientOf('sql');
    const chat = await client.chat.completions.create({
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user', content: 'What is the capital of France? Answer in one sentence.' }],
      temperature: 0,
    });
    expect(chat.choices[0]?.message.content).toBe('The capital of France is Paris.');
    const plain = await client.completions.create({
      model: 'smollm2-135m-instruct',
      prompt: 'One, two, three,',
      max_tokens: 8,
      temperature: 0,
    });
    expect(plain.choices[0]?.text).toMatch(/four/);
  });

  it('gets the completions of several prompts, and scores what it is given', async () => {
    const client = clientOf('sql');
    const common = { model: 'smollm2-135m-instruct', max_tokens: 1, temperature: 0 };
    const counted = await client.completions.create({ ...common, prompt: ['One, two, three,', 'Five, six, seven,'] });
    expect(counted.choices.map(({ index, text }) => [index, text])).toEqual([
      [0, ' four'],
      [1, ' eight'],
    ]);
    // As evaluation harnesses do: which continuation is the likelier one?
    const endings = [' Paris', ' Berlin'];
    const prompt = endings.map((ending) => `The capital of France is${ending}`);
    const scored = await client.completions.create({ ...common, prompt, echo: true, logprobs: 1 });
    const [paris, berlin] = scored.choices.map(({ text, logprobs }, index) => {
      expect(text.startsWith(prompt[index] ?? '')).toBe(true);
      expect(logprobs?.token_logprobs?.[0]).toBeNull();
      const at = logprobs?.tokens?.indexOf(endings[index] ?? '') ?? -1;
      return logprobs?.token_logprobs?.[at] ?? NaN;
    });
    expect(paris).toBeGreaterThan((berlin ?? 0) + 1);
  });

  it('gets the calls that it asks for, whole and streamed, and runs them in its own loop', async () => {
    const { completions } = clientOf(ORDER.adapter).chat;
    const parameters = {
      type: 'object',
      properties: { city: { $ref: '#/$defs/city' }, days: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 7 }, maxItems: 2 } },
      required: ['city', 'days'],
      $defs: { city: { enum: ['Paris', 'Rome'] } },
    };
    const weather = { type: 'function' as const, function: { name: 'get_weather', description: 'The weather of a city', parameters } };
    const now = { type: 'function' as const, function: { name: 'now', strict: true } };
    const named = { type: 'function' as const, function: { name: 'get_weather' } };
    const request = { ...orderRequest, max_tokens: 128, tools: [weather, now], tool_choice: named };

    const { choices, usage } = await completions.create(request);
    const call = choices[0]?.message.tool_calls?.[0];
    if (call?.type !== 'function') throw new Error('the answer is no call');
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: null } });
    expect(JSON.parse(call.function.arguments)).toEqual({
      city: expect.stringMatching(/^(Paris|Rome)$/) as string,
      days: expect.any(Array) as number[],
    });
    const streamed = await completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion();
    expect(streamed.choices[0]?.message).toMatchObject({ content: null, tool_calls: [{ function: call.function }] });
    expect(counts(streamed.usage)).toEqual(counts(usage));

    // The loop hands the result back, and the model answers with it in its prompt.
    const given: string[] = [];
    const runs = [{ ...weather, function: { ...weather.function, parse: JSON.parse, function: (city: object) => given.push(JSON.stringify(city)) && '18 °C' } }];
    const loop = completions.runTools({ ...request, tools: runs, tool_choice: 'required', parallel_tool_calls: false }, { maxChatCompletions: 2 });
    await loop.done();
    expect(given).toHaveLength(2);
    expect(loop.messages.filter(({ role }) => role === 'tool')).toMatchObject([{ content: '18 °C' }, { content: '18 °C' }]);
  });

  it('gets several answers to one prompt, whole and streamed', async () => {
    const client = clientOf(ORDER.adapter);
    const single = await client.chat.completions.create(orderRequest);
    const double = await client.chat.completions.create({ ...orderRequest, n: 2 });
    expect(double.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, ORDER.answer],
      [1, ORDER.answer],
    ]);
    expect(double.usage?.prompt_tokens).toBe(single.usage?.prompt_tokens);
    expect(double.usage?.completion_tokens).toBe(2 * (single.usage?.completion_tokens ?? 0));
    expect(double.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
    const texts = ['', ''];
    for await (const { choices } of await client.chat.completions.create({
      ...orderRequest,
      n: 2,
      stream: true,
    })) {
      for (const { index, delta } of choices) texts[index] += delta.content ?? '';
    }
    expect(texts).toEqual([ORDER.answer, ORDER.answer]);
  });

  it('gets different answers where there is a choice, and the same ones again for the same seed', async () => {
    const ask = async () => {
      const { choices } = await clientOf('sql').chat.completions.create({
        model: 'smollm2-135m-instruct',
        messages: [{ role: 'user', content: 'Tell me about a lighthouse.' }],
        temperature: 1,
        max_tokens: 24,
        seed: 11,
        n: 3,
      });
      return choices.map(({ message }) => message.content);
    };
    const texts = await ask();
    expect(new Set(texts).size).toBe(3);
    expect(await ask()).toEqual(texts);
  });

  it('gets log probabilities that spell the answer, whole and streamed', async () => {
    const client = clientOf(ORDER.adapter);
    const request = { ...orderRequest, logprobs: true, top_logprobs: 3 };
    const whole = await client.chat.completions.create(request);
    const content = whole.choices[0]?.logprobs?.content ?? [];
    expect(Buffer.from(content.flatMap(({ bytes }) => bytes ?? [])).toString()).toBe(ORDER.answer);
    for (const { token, logprob, top_logprobs: top } of content) {
      expect(top).toHaveLength(3);
      // Greedy, so the likeliest token is the one that was chosen.
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top.reduce((sum, other) => sum + Math.exp(other.logprob), 0)).toBeLessThan(1.001);
    }
    const streamed: OpenAI.ChatCompletionTokenLogprob[] = [];
    for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
      streamed.push(...(choices[0]?.logprobs?.content ?? []));
    }
    expect(streamed).toEqual(content);
    const older = await client.completions.create({
      model: 'smollm2-135m-instruct',
      prompt: 'One, two, three,',
      max_tokens: 4,
      temperature: 0,
      logprobs: 2,
    });
    expect(older.choices[0]?.logprobs?.tokens).toHaveLength(4);
    expect(older.choices[0]?.logprobs?.text_offset?.[0]).toBe(0);
  });

  it('gets JSON that matches a schema from a model that would rather talk', async () => {
    const request = {
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user' as const, content: 'Say something about Rome.' }],
      temperature: 0,
      max_tokens: 64,
      response_format: {
        type: 'json_schema' as const,
        json_schema: { name: 'city', strict: true, schema: CITY },
      },
    };
    const { choices } = await clientOf('sql').chat.completions.parse(request);
    const parsed = choices[0]?.message.parsed as { city: string; capital: boolean } | null;
    expect(['Paris', 'Rome']).toContain(parsed?.city);
    expect(typeof parsed?.capital).toBe('boolean');
    expect(choices[0]?.finish_reason).toBe('stop');
  });

  const WEATHER = {
    type: 'object',
    properties: {
      city: { enum: ['Paris', 'Rome'] },
      days: { type: 'integer', minimum: 1, maximum: 9 },
      unit: { $ref: '#/$defs/unit' },
      precision: { type: 'number', minimum: 0, maximum: 1 },
    },
    required: ['city', 'days', 'unit'],
    $defs: { unit: { enum: ['C', 'F'] } },
  };
  const tools = [{ type: 'function' as const, function: { name: 'get_weather', description: 'The weather of a city', parameters: WEATHER } }];
  const expectCall = (name: string | undefined, text: string | undefined) => {
    expect(name).toBe('get_weather');
    expect(JSON.parse(text ?? '')).toMatchObject({
      city: expect.stringMatching(/^(Paris|Rome)$/) as string,
      days: expect.any(Number) as number,
      unit: expect.stringMatching(/^[CF]$/) as string,
    });
  };

  it('gets a call of a function from a model that has never learnt to, and an answer to its result', async () => {
    const client = clientOf('sql');
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'How warm is it in Rome?' }];
    const request = { model: 'smollm2-135m-instruct', messages, tools, temperature: 0, max_tokens: 128 };
    const forced = { ...request, tool_choice: { type: 'function' as const, function: { name: 'get_weather' } } };
    const whole = (await client.chat.completions.create(forced)).choices[0]?.message;
    const [call] = whole?.tool_calls ?? [];
    if (!whole || call?.type !== 'function') throw new Error('no call');
    expectCall(call.function.name, call.function.arguments);
    const streamed = (await client.chat.completions.stream(forced).finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
    expect(streamed?.type === 'function' && streamed.function.arguments).toBe(call.function.arguments);
    messages.push(whole, { role: 'tool', tool_call_id: call.id, content: '{"celsius": 21}' });
    const answer = await client.chat.completions.create({ ...request, max_tokens: 24 });
    expect(answer.choices[0]?.message.content).toMatch(/\w/);
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(50);
  });

  it('gets responses: text, calls, and an object that matches a schema', async () => {
    const client = clientOf(ORDER.adapter);
    const text = await client.responses.create({ model: ORDER.adapter, input: ORDER.prompt, temperature: 0 });
    expect([text.output_text, text.status]).toEqual([ORDER.answer, 'completed']);
    const pieces: string[] = [];
    const events = await client.responses.create({ model: ORDER.adapter, input: ORDER.prompt, temperature: 0, stream: true });
    for await (const event of events) if (event.type === 'response.output_text.delta') pieces.push(event.delta);
    expect(pieces.join('')).toBe(ORDER.answer);
    const base = { model: 'smollm2-135m-instruct', input: 'How warm is it in Rome?', temperature: 0, max_output_tokens: 128 };
    const flat = [{ ...tools[0]!.function, type: 'function' as const, strict: false }];
    const called = await client.responses.create({ ...base, tools: flat, tool_choice: 'required', parallel_tool_calls: false });
    const [item] = called.output;
    if (item?.type !== 'function_call') throw new Error('no call');
    expectCall(item.name, item.arguments);
    const parsed = await client.responses.parse({ ...base, text: { format: { type: 'json_schema', name: 'city', strict: true, schema: CITY } } });
    expect(parsed.output_parsed).toMatchObject({ city: expect.stringMatching(/^(Paris|Rome)$/) as string });
  });

  it('is told that a pattern is none', async () => {
    const request = { ...orderRequest, guided_regex: '(' };
    await expect(clientOf(ORDER.adapter).chat.completions.create(request)).rejects.toMatchObject({
      status: 400,
      code: 'constraint_invalid',
    });
  });

  it('never reaches another tenant’s adapter', async () => {
    const request = clientOf('sql').chat.completions.create({
      model: 'order-json',
      messages: [{ role: 'user', content: 'Hi' }],
    });
    await expect(request).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('is told that a key is wrong', async () => {
    const client = new OpenAI({ apiKey: 'no-such-key', baseURL: `${stack.apiUrl}/v1`, maxRetries: 0 });
    await expect(client.models.list()).rejects.toMatchObject({ status: 401 });
  });
});
