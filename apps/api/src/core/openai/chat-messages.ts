/** The messages of a chat, as clients write them → as the models' templates know them. */
import { isShallow, type ChatMessage, type ToolCall } from '@aril/contracts';
import { z } from 'zod';
import { parseJson } from '../../base/parse-json.js';
import { memberOf, refuse, refuseType } from './openai-error.js';
import { optional } from './optional.js';

export const textPart = z.object({ type: z.literal('text'), text: z.string() });
/** What an assistant would not do is what it said. */
export const refusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() }).transform(({ refusal }) => ({ type: 'text' as const, text: refusal }));

const CONTENT = 'expected a string or a list of text parts';
export const CALL_ID = z.string().min(1).max(255);

const toolCallSchema = z.object({
  id: CALL_ID,
  type: z.literal('function'),
  function: z.object({ name: z.string().min(1), arguments: z.string() }),
});

const fields = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), z.array(z.union([textPart, refusalPart])).min(1), z.null()], CONTENT).optional(),
  /** Accepted as a label; chat templates of the supported models do not use it. */
  name: optional(z.string()),
  /** Beside a `content` of null. */
  refusal: optional(z.string()),
  tool_calls: optional(z.array(toolCallSchema)),
  tool_call_id: optional(CALL_ID),
  /** What an assistant thought: DeepSeek's name and vLLM's older one, and vLLM's newer one. */
  reasoning_content: optional(z.string()),
  reasoning: optional(z.string()),
});
type Message = z.output<typeof fields>;
/** For doors whose own shapes come to this one. */
export type MessageShape = Message;

export const messageSchema = fields
  .refine(mayLackContent, { path: ['content'], message: CONTENT })
  .refine(({ role, tool_call_id: id }) => role !== 'tool' || id !== undefined, {
    path: ['tool_call_id'],
    message: 'expected the id of the call that this is the result of',
  })
  .refine(({ role, tool_calls: calls = [] }) => role === 'assistant' || calls.length === 0, {
    path: ['tool_calls'],
    message: 'expected them in messages of the assistant alone',
  });

/** OpenAI's answers have null there, and clients send them back as they came, or without it where there are calls. */
function mayLackContent({ role, content, tool_calls: calls = [] }: Pick<Message, 'role' | 'content' | 'tool_calls'>): boolean {
  if (content !== null && content !== undefined) return true;
  return role === 'assistant' && (content === null || calls.length > 0);
}

export function toMessages(messages: readonly Message[]): ChatMessage[] {
  const functions = new Map(messages.flatMap(({ tool_calls: calls = [] }) => calls.map((call) => [call.id, call.function.name])));
  return messages.map((message) => toMessage(message, functions));
}

/** `functions`: names by call. Some templates want a result's, which clients have no place for. */
function toMessage({ role, content, name, tool_calls: calls = [], tool_call_id: callId, ...message }: Message, functions: ReadonlyMap<string, string>): ChatMessage {
  const reasoning = (role === 'assistant' && (message.reasoning_content ?? message.reasoning)) || undefined;
  const toolName = callId === undefined ? undefined : (functions.get(callId) ?? name);
  return {
    // "developer" is OpenAI's newer name of the same role; the models' templates know "system".
    role: role === 'developer' ? 'system' : role,
    content: textOf(content ?? message.refusal ?? ''),
    ...(reasoning !== undefined && { reasoning }),
    ...(calls.length > 0 && { toolCalls: calls.map(toCall) }),
    ...(role === 'tool' && { toolCallId: callId, ...(toolName !== undefined && { toolName }) }),
  };
}

export const textOf = (content: string | readonly { text: string }[]): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text).join('');

function toCall({ id, function: { name, arguments: text } }: z.output<typeof toolCallSchema>): ToolCall {
  const given = parseJson(text === '' ? '{}' : text);
  const isObject = given !== null && typeof given === 'object' && !Array.isArray(given) && isShallow(given);
  return { id, name, arguments: isObject ? (given as Record<string, unknown>) : text };
}

/** All the text there is in them, for its bound. */
export const textsOf = (messages: readonly ChatMessage[]): string[] =>
  messages.flatMap(({ content, reasoning = '', toolCalls = [] }) => [content, reasoning, ...toolCalls.map((call) => JSON.stringify(call))]);

/** Images and audio are for other models; functions are what tools were called before. */
export function checkKinds(messages: unknown): void {
  if (!Array.isArray(messages)) return;
  messages.forEach((message: unknown, index) => {
    checkFunctions(message, `messages[${index}]`);
    const content = memberOf(message, 'content');
    if (!Array.isArray(content)) return;
    const kinds = memberOf(message, 'role') === 'assistant' ? ['text', 'refusal'] : ['text'];
    content.forEach((part: unknown, at) => refuseType(part, `messages[${index}].content[${at}]`, 'text parts', (type) => kinds.includes(type)));
  });
}

function checkFunctions(message: unknown, at: string): void {
  if (memberOf(message, 'role') === 'function') refuse(`${at}.role`, `${at}.role: functions are not supported; expected "tool" and a tool_call_id, found "function".`);
  const called = memberOf(message, 'function_call') ?? null;
  if (called !== null) refuse(`${at}.function_call`, `${at}.function_call: functions are not supported; expected tool_calls, found a call of one.`);
}
