/** The AI SDK's default model, which names items of earlier responses instead of sending them, and its chats. */
import { createOpenAI } from '@ai-sdk/openai';
import { generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ORDER, stack, tenantWith } from '../support/stack.js';

const openai = createOpenAI({ apiKey: tenantWith(ORDER.adapter).apiKey, baseURL: `${stack.apiUrl}/v1` });
const schema = z.object({ city: z.enum(['Paris', 'Rome']), capital: z.boolean() });
const weather = tool({ inputSchema: schema, execute: () => 21 });

describe.each([
  ['its default model', openai],
  ['a chat', openai.chat],
])('the AI SDK with %s', (_name, modelOf) => {
  const request = { model: modelOf(ORDER.adapter), temperature: 0, maxOutputTokens: 64, maxRetries: 0 };
  const question = { role: 'user' as const, content: ORDER.prompt };

  it('gets an answer, whole and streamed, and goes on from it', async () => {
    const { text, finishReason, usage, response } = await generateText({ ...request, messages: [question] });
    expect([text, finishReason]).toEqual([ORDER.answer, 'stop']);
    const stream = streamText({ ...request, messages: [question] });
    const pieces: string[] = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    expect([pieces.join(''), await stream.finishReason, (await stream.usage).outputTokens]).toEqual([ORDER.answer, 'stop', usage.outputTokens]);
    const again = await generateText({ ...request, messages: [question, ...response.messages, question] });
    expect(again.usage.inputTokens).toBeGreaterThan(usage.inputTokens! + usage.outputTokens!);
  });

  it('gets objects of a schema', async () => {
    const { object } = await generateObject({ ...request, schema, prompt: 'Rome' });
    expect(schema.safeParse(object).success).toBe(true);
    const stream = streamObject({ ...request, schema, prompt: 'Rome' });
    for await (const part of stream.partialObjectStream) expect(part).toBeTypeOf('object');
    expect(schema.safeParse(await stream.object).success).toBe(true);
  });

  it('calls functions over several steps, and goes on from the results', async () => {
    const stream = streamText({
      ...{ ...request, tools: { weather }, stopWhen: stepCountIs(3), prompt: 'How warm is it?' },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber < 2 ? 'required' : 'none' }),
      providerOptions: { openai: { parallelToolCalls: false } },
    });
    const steps = await stream.steps;
    expect(steps.map(({ toolResults }) => toolResults.map(({ output }) => output))).toEqual([[21], [21], []]);
    expect(steps.slice(0, 2).map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'tool-calls']);
  });

  it('stops in the middle, and is told why it is refused', async () => {
    const abort = new AbortController();
    const kinds: string[] = [];
    for await (const { type } of streamText({ ...request, maxOutputTokens: 1000, prompt: 'Tell me a long story', abortSignal: abort.signal }).fullStream) {
      kinds.push(type);
      if (type === 'text-delta') abort.abort();
    }
    expect(kinds.at(-1)).toBe('abort');
    await expect(generateText({ ...request, model: modelOf('no-such'), prompt: 'Hi' })).rejects.toMatchObject({ statusCode: 404, message: expect.stringContaining('no-such') as string });
  });
});
