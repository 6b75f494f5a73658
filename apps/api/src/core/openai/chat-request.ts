/** The body of `POST /v1/chat/completions`. */
import { predictionSchema, templateOptionsSchema, topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { MESSAGES_MAX, routingKeySchema } from '../generations/generation-request.js';
import { checkKinds, messageSchema, textOf, textPart, toMessages } from './chat-messages.js';
import { toConstraint } from './openai-constraint.js';
import { refuseIssue } from './openai-error.js';
import { CHAT_PARAMETERS, checkParameters } from './openai-parameters.js';
import { commonFields, longestAnswer, streamOptionsNeedStream, toRequest, type OpenAiRequest } from './openai-request.js';
import { optional } from './optional.js';
import { EFFORTS, effortOptions } from './reasoning/effort.js';
import { conversation } from './tools/conversation.js';
import { checkToolTypes, toolFields, toolOffer } from './tools/offered-tools.js';

const predictedContent = z
  .union([z.string(), z.array(textPart).min(1)], 'expected a string or a list of text parts')
  .transform(textOf)
  .pipe(predictionSchema);

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
  // vLLM's: the answer goes on where the last message ends, and then no turn of the assistant's begins before it.
  continue_final_message: optional(z.boolean()),
  add_generation_prompt: optional(z.boolean()),
  safety_identifier: optional(routingKeySchema),
  prediction: optional(z.object({ type: z.literal('content'), content: predictedContent })),
};

const schema = z
  .object(fields)
  .refine(streamOptionsNeedStream.check, streamOptionsNeedStream.issue)
  .refine(({ logprobs, top_logprobs: top }) => logprobs === true || !top, {
    path: ['top_logprobs'],
    message: 'allowed only when logprobs is true',
  })
  .refine(({ continue_final_message: continues, add_generation_prompt: begins }) => !(continues && begins), {
    path: ['add_generation_prompt'],
    message: 'expected false where continue_final_message is true',
  })
  .refine(({ continue_final_message: continues, add_generation_prompt: begins }) => continues || begins !== false, {
    path: ['add_generation_prompt'],
    message: 'expected true where continue_final_message is not: the answer is a turn of the assistant',
  })
  .refine(({ continue_final_message: continues, messages }) => !continues || isContinuable(messages.at(-1)), {
    path: ['continue_final_message'],
    message: 'expected true only where the last message is the assistant\'s, with a text and no calls',
  });

const isContinuable = (message: z.output<typeof messageSchema> | undefined): boolean =>
  message?.role === 'assistant' && !!message.content?.length && (message.tool_calls ?? []).length === 0;

export function parseChatRequest(body: Readonly<Record<string, unknown>>): OpenAiRequest {
  checkKinds(body.messages);
  checkToolTypes(body.tools);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), CHAT_PARAMETERS);
  const { data } = parsed;
  const messages = toMessages(data.messages);
  const { input, constraint, tools } = conversation({ param: 'messages', messages, offer: toolOffer(data), asked: () => toConstraint(data), continueFinal: data.continue_final_message });
  const logprobs = data.logprobs === true ? (data.top_logprobs ?? 0) : null;
  return toRequest(data, {
    inputs: [{ ...input, ...effortOptions(data.reasoning_effort, data.chat_template_kwargs) }],
    constraint,
    tools,
    echo: false,
    maxTokens: data.max_completion_tokens ?? data.max_tokens,
    maxTokensDefault: longestAnswer(data.n ?? 1, logprobs),
    logprobs,
    prediction: data.prediction?.content,
    userAliases: [data.safety_identifier],
  });
}
