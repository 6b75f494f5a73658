/** Anthropic's client: prompts counted before they are sent, and answers that go on from their beginning. */
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { ORDER, stack, tenantWith } from '../support/stack.js';

const { apiKey } = tenantWith(ORDER.adapter);
const client = new Anthropic({ baseURL: stack.apiUrl, apiKey, authToken: null, maxRetries: 0 });
const asked = { model: ORDER.adapter, messages: [{ role: 'user' as const, content: ORDER.prompt }] };
const answer = { max_tokens: 64, temperature: 0 };
/** Where one token ends and the next begins. */
const BEGINNING = '{"name": "Nora",';
const begun = { ...asked, messages: [...asked.messages, { role: 'assistant' as const, content: BEGINNING }] };

it('is told how many tokens a prompt has, as many as the answer then counts', async () => {
  for (const prompt of [asked, { ...asked, system: 'Answer in JSON.' }, begun]) {
    const { input_tokens: counted } = await client.messages.countTokens(prompt);
    const { usage } = await client.messages.create({ ...prompt, ...answer });
    expect(counted).toBe(usage.input_tokens + (usage.cache_read_input_tokens ?? 0));
  }
});

it('gets the rest of an answer that it has begun, whole and streamed, and so do chats', async () => {
  const { content } = await client.messages.create({ ...begun, ...answer });
  expect(content).toMatchObject([{ type: 'text', text: ORDER.answer.slice(BEGINNING.length) }]);
  expect(await client.messages.stream({ ...begun, ...answer }).finalText()).toBe(ORDER.answer.slice(BEGINNING.length));
  const openai = new OpenAI({ baseURL: `${stack.apiUrl}/v1`, apiKey, maxRetries: 0 });
  const chat = await openai.chat.completions.create({ ...begun, ...answer, continue_final_message: true } as OpenAI.ChatCompletionCreateParamsNonStreaming);
  expect(chat.choices[0]?.message.content).toBe(ORDER.answer.slice(BEGINNING.length));
});
