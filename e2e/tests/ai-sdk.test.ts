/**
 * The Vercel AI SDK, with its default model (`POST /v1/responses`, whose items it names afterwards instead of sending them)
 * and with `.chat()`. What it cannot read it throws.
 */
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ORDER, stack, tenantWith } from '../support/stack.js';

const openai = createOpenAI({ apiKey: tenantWith(ORDER.adapter).apiKey, baseURL: `${stack.apiUrl}/v1` });
const settings = { temperature: 0, maxOutputTokens: 64, maxRetries: 0 };
const city = z.object({ city: z.enum(['Paris', 'Rome']), capital: z.boolean() });
const weather = tool({ description: 'The weather in a city', inputSchema: z.object({ city: z.enum(['Paris', 'Rome']) }), execute: () => ({ celsius: 21 }) });

describe.each([
  ['its default model', openai],
  ['a chat', openai.chat],
])('the AI SDK with %s', (_name, modelOf) => {
  const model = modelOf(ORDER.adapter);

  it('gets an answer, whole and streamed, with its tokens', async () => {
    const whole = await generateText({ model, prompt: ORDER.prompt, ...settings });
    expect([whole.text, whole.finishReason]).toEqual([ORDER.answer, 'stop']);
    const stream = streamText({ model, prompt: ORDER.prompt, ...settings });
    const pieces: string[] = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    expect([pieces.join(''), await stream.finishReason]).toEqual([ORDER.answer, 'stop']);
    expect(pieces.length).toBeGreaterThan(3);
    const { inputTokens, outputTokens } = await stream.usage;
    expect({ inputTokens, outputTokens }).toEqual({ inputTokens: whole.usage.inputTokens, outputTokens: whole.usage.outputTokens });
    expect(outputTokens).toBeGreaterThan(0);
  });

  it('goes on with a conversation', async () => {
    const question = { role: 'user' as const, content: ORDER.prompt };
    const { response } = await generateText({ model, messages: [question], ...settings });
    const again = await generateText({ model, messages: [question, ...response.messages, question], ...settings });
    expect(again.text).toMatch(/\S/);
  });

  it('gets objects of a schema', async () => {
    expect(city.safeParse((await generateObject({ model, schema: city, prompt: 'Rome', ...settings })).object).success).toBe(true);
    const { partialObjectStream, object } = streamObject({ model, schema: city, prompt: 'Rome', ...settings });
    for await (const partial of partialObjectStream) expect(Object.keys(partial).length).toBeLessThanOrEqual(2);
    expect(city.safeParse(await object).success).toBe(true);
  });

  it('calls functions over several steps, and goes on from the results', async () => {
    const stream = streamText({
      ...{ model, tools: { weather }, stopWhen: stepCountIs(3), prompt: 'How warm is it?', ...settings },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber < 2 ? 'required' : 'none' }),
      providerOptions: { openai: { parallelToolCalls: false } },
    });
    await stream.consumeStream();
    const steps = await stream.steps;
    expect(steps.map(({ toolResults }) => toolResults.map(({ output }) => output))).toEqual([[{ celsius: 21 }], [{ celsius: 21 }], []]);
    expect(steps.slice(0, 2).map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'tool-calls']);
  });

  it('stops in the middle, and is told why it was refused', async () => {
    const abort = new AbortController();
    const kinds: string[] = [];
    for await (const { type } of streamText({ model, prompt: 'Tell me a story', ...settings, maxOutputTokens: 2_000, abortSignal: abort.signal }).fullStream) {
      kinds.push(type);
      if (type === 'text-delta') abort.abort();
    }
    expect(kinds.at(-1)).toBe('abort');
    const refused = generateText({ model: modelOf('nothing-such'), prompt: 'Hi', ...settings });
    await expect(refused).rejects.toSatisfy((error) => APICallError.isInstance(error) && error.statusCode === 404 && error.message.includes('nothing-such'));
  });
});
