/** The body of `POST /v1/chat/completions`. */
import { topLogprobsSchema, type ChatMessage } from '@aril/contracts';
import { z } from 'zod';
import { LOGPROBS_MAX, MESSAGES_MAX, routingKeySchema } from '../generations/generation-request.js';
import { refuse, refuseIssue } from './openai-error.js';
import { CHAT_PARAMETERS, checkParameters } from './openai-parameters.js';
import { checkLength, commonFields, streamOptionsNeedStream, toRequest, type OpenAiRequest } from './openai-request.js';
import { optional } from './optional.js';

const textPart = z.object({ type: z.literal('text'), text: z.string() });

const CONTENT = 'expected a string or a list of text parts';
const messageSchema = z
  .object({
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: z.union([z.string(), z.array(textPart).min(1), z.null()], CONTENT),
    /** Accepted as a label; chat templates of the supported models do not use it. */
    name: optional(z.string()),
    refusal: optional(z.string().max(0)),
    tool_calls: optional(z.array(z.unknown()).max(0)),
  })
  // OpenAI's answers have null there, and clients send them back as they came.
  .refine(({ role, content }) => content !== null || role === 'assistant', { path: ['content'], message: CONTENT });

const fields = {
  ...commonFields,
  messages: z.array(messageSchema).min(1).max(MESSAGES_MAX),
  max_completion_tokens: optional(z.number().int().min(1)),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(topLogprobsSchema),
  safety_identifier: optional(routingKeySchema),
};

const schema = z
  .object(fields)
  .refine(streamOptionsNeedStream.check, streamOptionsNeedStream.issue)
  .refine(({ logprobs, top_logprobs: top }) => logprobs === true || !top, {
    path: ['top_logprobs'],
    message: 'allowed only when logprobs is true',
  });

export function parseChatRequest(body: Readonly<Record<string, unknown>>): OpenAiRequest {
  checkParts(body.messages);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), CHAT_PARAMETERS);
  const { data } = parsed;
  const messages = data.messages.map(toMessage);
  const logprobs = data.logprobs === true ? (data.top_logprobs ?? 0) : null;
  checkLength('messages', messages.map(({ content }) => content));
  return toRequest(data, {
    inputs: [{ kind: 'messages', messages }],
    echo: false,
    maxTokens: data.max_completion_tokens ?? data.max_tokens,
    maxTokensDefault: longestAnswer(data.n ?? 1, logprobs),
    logprobs,
    userAliases: [data.safety_identifier],
  });
}

/** An answer ends when the model ends it or its context is full, unless log probabilities fill the memory before. */
function longestAnswer(n: number, logprobs: number | null): number {
  return logprobs === null ? Number.MAX_SAFE_INTEGER : Math.floor(LOGPROBS_MAX / (n * (1 + logprobs)));
}

function toMessage(message: z.infer<typeof messageSchema>): ChatMessage {
  const { role, content } = message;
  return {
    // "developer" is OpenAI's newer name of the same role; the models' templates know "system".
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join(''),
  };
}

const TOOL_ROLES: readonly unknown[] = ['tool', 'function'];

/** Told as what they are: that a role or a content is none of those expected would hide that tools are meant. */
function checkTools(message: object, at: string): void {
  const role: unknown = Reflect.get(message, 'role');
  if (TOOL_ROLES.includes(role)) refuse(`${at}.role`, `${at}.role: tools are not supported, found ${JSON.stringify(role)}.`);
  const calls: unknown = Reflect.get(message, 'tool_calls');
  const called: unknown = Reflect.get(message, 'function_call');
  if (Array.isArray(calls) && calls.length > 0) refuse(`${at}.tool_calls`, `${at}.tool_calls: tools are not supported, found ${calls.length} of their calls.`);
  if (called !== null && called !== undefined) refuse(`${at}.function_call`, `${at}.function_call: tools are not supported, found a call of one.`);
}

/** An image or audio part is told as what it is: the union's own message would only say that nothing matched. */
function checkParts(messages: unknown): void {
  if (!Array.isArray(messages)) return;
  messages.forEach((message: unknown, index) => {
    if (message === null || typeof message !== 'object') return;
    checkTools(message, `messages[${index}]`);
    const content: unknown = Reflect.get(message, 'content');
    if (!Array.isArray(content)) return;
    content.forEach((part: unknown, at) => {
      const type = part !== null && typeof part === 'object' ? Reflect.get(part, 'type') : undefined;
      if (typeof type === 'string' && type !== 'text') {
        const name = `messages[${index}].content[${at}].type`;
        refuse(name, `${name}: only text parts are supported, found ${JSON.stringify(type.slice(0, 40))}.`);
      }
    });
  });
}
