/** The same calls in the forms that some chat templates insist on, and refuse a conversation for. */
import { Template } from '@huggingface/jinja';
import { createHash } from 'node:crypto';
import type { ChatMessage, Tool, ToolCall } from './conversation.js';

/** Mistral's length; its templates take letters and digits alone. */
const SHORT_ID = /^[A-Za-z0-9]{9}$/;

/** Ids that came from elsewhere (OpenAI's are longer), each the same wherever it stands. */
export function withShortIds(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => ({
    ...message,
    ...(message.toolCalls && { toolCalls: message.toolCalls.map((call) => ({ ...call, id: shortId(call.id) })) }),
    ...(message.toolCallId !== undefined && { toolCallId: shortId(message.toolCallId) }),
  }));
}

const shortId = (id: string): string => (SHORT_ID.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 9));

/** For models that call once per turn, as Llama 3: each call is followed by its result, and then comes the next. */
export function oneCallPerTurn(messages: readonly ChatMessage[]): ChatMessage[] {
  const told = new Set<ChatMessage>();
  return messages.flatMap((message, at) => {
    if (told.has(message)) return [];
    const { toolCalls = [] } = message;
    if (toolCalls.length < 2) return [message];
    const results = resultsAfter(messages, at);
    return toolCalls.flatMap((call, index) => {
      const result = results.find(({ toolCallId }) => toolCallId === call.id);
      if (result) told.add(result);
      const { reasoning: _thoughtOnce, ...later } = message;
      const turn = { ...(index === 0 ? message : { ...later, content: '' }), toolCalls: [call] };
      return result ? [turn, result] : [turn];
    });
  });
}

/** Those that follow at once: clients may use an id again in a later turn. */
export function resultsAfter(messages: readonly ChatMessage[], at: number): ChatMessage[] {
  const after = messages.slice(at + 1);
  const end = after.findIndex(({ role }) => role !== 'tool');
  return end < 0 ? after : after.slice(0, end);
}

/** What was said before a call, and the thought before it, as one thought: gpt-oss's template takes one of the two. */
export function thoughtBeforeCalls(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => {
    const { content, reasoning, toolCalls } = message;
    return toolCalls && reasoning && content ? { ...message, content: '', reasoning: `${reasoning}\n\n${content}` } : message;
  });
}

/** With a description each, which some templates write out without a look. */
export const describedTools = (tools: readonly Tool[]): Tool[] => tools.map((tool) => ({ ...tool, description: tool.description ?? '' }));

/** With the spaces that templates, and so models, write. */
const JSON_TEXT = new Template('{{ value | tojson }}');
const jsonText = (value: unknown): string => JSON_TEXT.render({ value });

/** With arguments as JSON, for templates that write them out as they are, as DeepSeek's. */
export const withArgumentsAsJson = (messages: readonly ChatMessage[]): ChatMessage[] => withArguments(messages, jsonText);

/** With values that every template can write as texts: Qwen3-Coder's and Seed-OSS's make texts of `null` and of objects, which this Jinja refuses. */
export const withPlainValues = (messages: readonly ChatMessage[]): ChatMessage[] =>
  withArguments(messages, (given) => Object.fromEntries(Object.entries(given).map(([key, value]) => [key, plain(value)])));

/** The same of what schemas say of parameters, which Qwen3-Coder's template writes out: a `default` is often `null`. */
export const withPlainSchemas = (tools: readonly Tool[]): Tool[] =>
  tools.map((tool) => ({ ...tool, ...(tool.parameters && { parameters: { ...tool.parameters, properties: withoutNulls(tool.parameters.properties) } }) }));

const withoutNulls = (properties: unknown): unknown => mapped(properties, (schema) => mapped(schema, (value) => (value === null ? plain(value) : value)));
const mapped = (value: unknown, change: (member: unknown) => unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, change(member)])) : value;

/** As Python writes nothing. */
const plain = (value: unknown): unknown => (value === null ? 'None' : typeof value === 'object' ? jsonText(value) : value);

function withArguments(messages: readonly ChatMessage[], change: (given: Readonly<Record<string, unknown>>) => ToolCall['arguments']): ChatMessage[] {
  const changed = (call: ToolCall): ToolCall => ({ ...call, arguments: typeof call.arguments === 'string' ? call.arguments : change(call.arguments) });
  return messages.map((message) => ({ ...message, ...(message.toolCalls && { toolCalls: message.toolCalls.map(changed) }) }));
}
