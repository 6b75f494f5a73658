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

async function streamed({ adapter, prompt }: typeof ORDER) {
  const chunks = await clientOf(adapter).chat.completions.create({
    model: adapter,
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_tokens: 64,
    stream: true,
    stream_options: { include_usage: true },
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
    // A stream of one piece would be no stream.
    expect(orderStream.pieces.length).toBeGreaterThan(5);
    for (const { reason } of [order, orderStream, sql, sqlStream]) expect(reason).toBe('stop');
    expect(orderStream.usage).toEqual(order.usage);
    expect(sqlStream.usage).toEqual(sql.usage);
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
