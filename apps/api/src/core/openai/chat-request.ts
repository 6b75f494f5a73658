/** The body of `POST /v1/chat/completions`. */
import { templateOptionsSchema, topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { MESSAGES_MAX, routingKeySchema } from '../generations/generation-request.js';
import { checkKinds, messageSchema, toMessages } from './chat-messages.js';
import { toConstraint } from './openai-constraint.js';
import { refuseIssue } from './openai-error.js';
import { CHAT_PARAMETERS, checkParameters } from './openai-parameters.js';
import { commonFields, longestAnswer, streamOptionsNeedStream, toRequest, type OpenAiRequest } from './openai-request.js';
import { optional } from './optional.js';
import { EFFORTS, effortOptions } from './reasoning/effort.js';
import { conversation } from './tools/conversation.js';
import { checkToolTypes, toolFields, toolOffer } from './tools/offered-tools.js';

const fields = {
  ...commonFields,
  ...toolFields,
  messages: z.array(messageSchema).min(1).max(MESSAGES_MAX),
  max_completion_tokens: optional(z.number().int().min(1)),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(topLogprobsSchema),
  /** vLLM's. */
  chat_template_kwargs: optional(templateOptionsSchema),
  reasoning_effort: optional(z.enum(EFFORTS)),
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
  checkKinds(body.messages);
  checkToolTypes(body.tools);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), CHAT_PARAMETERS);
  const { data } = parsed;
  const messages = toMessages(data.messages);
  const { input, constraint, tools } = conversation({ param: 'messages', messages, offer: toolOffer(data), asked: () => toConstraint(data) });
  const logprobs = data.logprobs === true ? (data.top_logprobs ?? 0) : null;
  return toRequest(data, {
    inputs: [{ ...input, ...effortOptions(data.reasoning_effort, data.chat_template_kwargs) }],
    constraint,
    tools,
    echo: false,
    maxTokens: data.max_completion_tokens ?? data.max_tokens,
    maxTokensDefault: longestAnswer(data.n ?? 1, logprobs),
    logprobs,
    userAliases: [data.safety_identifier],
  });
}
