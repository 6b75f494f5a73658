/** The input of `POST /v1/responses`, a text or a list of items → messages as the models' templates know them. */
import type { ChatMessage } from '@aril/contracts';
import { z } from 'zod';
import { MESSAGES_MAX } from '../../generations/generation-request.js';
import { CALL_ID, refusalPart, textOf, toMessages, type MessageShape } from '../chat-messages.js';
import { memberOf, refuseType } from '../openai-error.js';
import { optional } from '../optional.js';

const textPart = z.object({ type: z.enum(['input_text', 'output_text', 'text']), text: z.string() });
const TEXTS = 'expected a string or a list of text parts';
const texts = z.union([z.string(), z.array(textPart).min(1)], TEXTS);

const messageItem = z.object({
  type: z.literal('message').optional(),
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(z.union([textPart, refusalPart])).min(1)], TEXTS),
});
const callItem = z.object({ type: z.literal('function_call'), call_id: CALL_ID, name: z.string().min(1), arguments: z.string() });
const resultItem = z.object({ type: z.literal('function_call_output'), call_id: CALL_ID, output: texts });
/** A thought that an answer had; a summary alone is none that a template could be given. */
const thoughtItem = z.object({ type: z.literal('reasoning'), content: optional(z.array(z.object({ type: z.literal('reasoning_text'), text: z.string() }))) });

const items = { message: messageItem, reasoning: thoughtItem, function_call: callItem, function_call_output: resultItem };
type Item = z.output<(typeof items)[keyof typeof items]>;
const KINDS = Object.keys(items).join(', ');

/** By hand and not as a union, whose error would only say that nothing matched. */
const itemSchema = z.unknown().transform((value, context): Item => {
  const type = value !== null && typeof value === 'object' ? (memberOf(value, 'type') ?? 'message') : undefined;
  const known = typeof type === 'string' && Object.hasOwn(items, type) ? items[type as keyof typeof items] : null;
  if (!known) {
    context.addIssue({ code: 'custom', path: type === undefined ? [] : ['type'], message: `expected an item of the type ${KINDS}` });
    return z.NEVER;
  }
  const parsed = known.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue, code: 'custom' });
  return z.NEVER;
});

const INPUT = `expected a string or a list of 1 to ${MESSAGES_MAX} items`;

export const inputFields = {
  /** A text is what a user says. Not a union, for the sake of its errors again. */
  input: z.preprocess(
    (value) => (typeof value === 'string' ? [{ role: 'user', content: value }] : value),
    z.array(itemSchema, INPUT).min(1, INPUT).max(MESSAGES_MAX, INPUT),
  ),
  instructions: optional(z.string()),
};
type InputFields = z.output<z.ZodObject<typeof inputFields>>;

export function inputMessages({ input, instructions }: InputFields): ChatMessage[] {
  const said: MessageShape[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }];
  return toMessages(input.reduce(withItem, said));
}

/** What an assistant thinks, says and calls after that is one message to a template. */
function withItem(messages: MessageShape[], item: Item): MessageShape[] {
  if ('role' in item) return withMessage(messages, { role: item.role, content: textOf(item.content) });
  if (item.type === 'reasoning') return item.content?.length ? [...messages, { role: 'assistant', content: null, reasoning_content: textOf(item.content) }] : messages;
  if (item.type === 'function_call_output') return [...messages, { role: 'tool', tool_call_id: item.call_id, content: textOf(item.output) }];
  const call = { id: item.call_id, type: 'function' as const, function: { name: item.name, arguments: item.arguments } };
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return [...messages, { role: 'assistant', content: null, tool_calls: [call] }];
  return [...messages.slice(0, -1), { ...last, tool_calls: [...(last.tool_calls ?? []), call] }];
}

function withMessage(messages: MessageShape[], message: MessageShape): MessageShape[] {
  const last = messages.at(-1);
  const isThought = last?.reasoning_content !== undefined && last.content === null && last.tool_calls === undefined;
  return isThought && message.role === 'assistant' ? [...messages.slice(0, -1), { ...last, ...message }] : [...messages, message];
}

const OTHERS: readonly string[] = ['input_image', 'input_file', 'input_audio'];

/** Images and files are for other models. */
export function checkInputParts(input: unknown): void {
  if (!Array.isArray(input)) return;
  input.forEach((item: unknown, index) => {
    const others = memberOf(item, 'role') === 'assistant' ? OTHERS : [...OTHERS, 'refusal'];
    for (const key of ['content', 'output']) {
      const parts = memberOf(item, key);
      if (!Array.isArray(parts)) continue;
      parts.forEach((part: unknown, at) => refuseType(part, `input[${index}].${key}[${at}]`, 'text parts', (type) => !others.includes(type)));
    }
  });
}
