/** The conversation of `POST /v1/messages`, blocks → messages as the models' templates know them. */
import type { ChatMessage } from '@aril/contracts';
import { z } from 'zod';
import { MESSAGES_MAX } from '../../generations/generation-request.js';
import { CALL_ID, toMessages, type MessageShape } from '../chat-messages.js';
import { memberOf, refuseType } from '../openai-error.js';
import { optional } from '../optional.js';

const textBlock = z.object({ type: z.literal('text'), text: z.string() });
const thoughtBlock = z.object({ type: z.literal('thinking'), thinking: z.string() });
/** Its text is somebody else's secret: there is nothing to tell a model. */
const redactedBlock = z.object({ type: z.literal('redacted_thinking') });
const callBlock = z.object({ type: z.literal('tool_use'), id: CALL_ID, name: z.string().min(1), input: z.record(z.string(), z.unknown()) });
/** That a tool failed (`is_error`) is what its content says; templates have no place for more. */
const resultBlock = z.object({ type: z.literal('tool_result'), tool_use_id: CALL_ID, content: optional(z.union([z.string(), z.array(textBlock)], 'expected a string or a list of text blocks')) });

const SAID = ['text', 'tool_result'];
const ANSWERED = ['text', 'thinking', 'redacted_thinking', 'tool_use'];

/** A text is one block of it. */
const blocks = <Block extends z.ZodType>(block: Block) =>
  z.preprocess((value) => (typeof value === 'string' ? [{ type: 'text', text: value }] : value), z.array(block, 'expected a string or a list of blocks'));

const message = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: blocks(z.discriminatedUnion('type', [textBlock, resultBlock])) }),
  z.object({ role: z.literal('assistant'), content: blocks(z.discriminatedUnion('type', [textBlock, thoughtBlock, redactedBlock, callBlock])) }),
  z.object({ role: z.literal('system'), content: blocks(textBlock) }),
]);
type Message = z.output<typeof message>;
type Answered = Extract<Message, { role: 'assistant' }>['content'];

export const messageFields = {
  messages: z
    .array(message)
    .min(1)
    .max(MESSAGES_MAX)
    .superRefine((messages, { addIssue }) => {
      const wrong = whyNotContinued(messages.at(-1));
      if (wrong !== null) addIssue({ code: 'custom', path: [messages.length - 1, 'content'], message: wrong });
    }),
  system: optional(blocks(textBlock)),
};
type MessageFields = z.output<z.ZodObject<typeof messageFields>>;

export function inputMessages({ messages, system = [] }: MessageFields): ChatMessage[] {
  const instructions: MessageShape[] = system.length > 0 ? [{ role: 'system', content: textOf(system) }] : [];
  return toMessages([...instructions, ...messages.flatMap(shapesOf)]);
}

/** Whether the last message is the beginning of the answer. */
export const beginsAnswer = ({ messages }: Pick<MessageFields, 'messages'>): boolean => messages.at(-1)?.role === 'assistant';

function whyNotContinued(last: Message | undefined): string | null {
  if (last?.role !== 'assistant') return null;
  const text = textOf(last.content.filter((block) => block.type === 'text'));
  if (text === '' || last.content.some(({ type }) => type !== 'text')) return 'expected a text and nothing else, as the last message begins the answer';
  return /\s$/.test(text) ? 'expected no white space at its end, as the last message begins the answer' : null;
}

function shapesOf({ role, content }: Message): MessageShape[] {
  if (role === 'assistant') return [answerOf(content)];
  if (role === 'system') return [{ role, content: textOf(content) }];
  const results = content.filter((block) => block.type === 'tool_result');
  const texts = content.filter((block) => block.type === 'text');
  const said: MessageShape[] = texts.length > 0 || results.length === 0 ? [{ role, content: textOf(texts) }] : [];
  return [...results.map(({ tool_use_id: id, content: result = '' }): MessageShape => ({ role: 'tool', tool_call_id: id, content: typeof result === 'string' ? result : textOf(result) })), ...said];
}

function answerOf(content: Answered): MessageShape {
  const thought = content.flatMap((block) => (block.type === 'thinking' ? block.thinking : [])).join('');
  const calls = content.filter((block) => block.type === 'tool_use');
  return {
    role: 'assistant',
    content: content.flatMap((block) => (block.type === 'text' ? block.text : [])).join(''),
    ...(thought !== '' && { reasoning_content: thought }),
    tool_calls: calls.map(({ id, name, input }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(input) } })),
  };
}

/** Blocks stand for themselves, as paragraphs do. */
const textOf = (texts: readonly z.output<typeof textBlock>[]): string => texts.map(({ text }) => text).join('\n\n');

/** Images and documents are for other models, told as what they are. */
export function checkBlocks({ messages, system }: Readonly<Record<string, unknown>>): void {
  check(system, 'system', ['text'], 'text blocks');
  if (!Array.isArray(messages)) return;
  messages.forEach((message: unknown, index) => {
    const content = memberOf(message, 'content');
    const at = `messages[${index}].content`;
    const isAnswer = memberOf(message, 'role') === 'assistant';
    check(content, at, isAnswer ? ANSWERED : SAID, isAnswer ? 'text, thinking and tool_use blocks' : 'text and tool_result blocks');
    if (Array.isArray(content)) content.forEach((block: unknown, place) => check(memberOf(block, 'content'), `${at}[${place}].content`, ['text'], 'text blocks'));
  });
}

function check(content: unknown, param: string, kinds: readonly string[], expected: string): void {
  if (Array.isArray(content)) content.forEach((block: unknown, at) => refuseType(block, `${param}[${at}]`, expected, (type) => kinds.includes(type)));
}
