/** The body of `POST /v1/responses`. Nothing is stored, so each request brings all of its conversation. */
import { topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { routingKeySchema } from '../../generations/generation-request.js';
import { namedSchema, schemaConstraint, type NamedConstraint } from '../openai-constraint.js';
import { refuseIssue } from '../openai-error.js';
import { checkParameters, RESPONSE_PARAMETERS } from '../openai-parameters.js';
import { commonFields, longestAnswer, toRequest, type OpenAiRequest } from '../openai-request.js';
import { optional } from '../optional.js';
import { EFFORTS, effortOptions } from '../reasoning/effort.js';
import { conversation } from '../tools/conversation.js';
import { checkToolTypes } from '../tools/offered-tools.js';
import { checkInputParts, inputFields, inputMessages } from './response-input.js';
import { responseToolFields, responseToolOffer } from './response-tools.js';

const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  namedSchema.extend({ type: z.literal('json_schema') }),
]);

const LOGPROBS = 'message.output_text.logprobs';
/** Besides log probabilities, what answers here never hold; asked for by clients that ask for all of it. */
const INCLUDABLE = [LOGPROBS, 'reasoning.encrypted_content', 'file_search_call.results', 'web_search_call.results', 'web_search_call.action.sources', 'code_interpreter_call.outputs', 'computer_call_output.output.image_url', 'message.input_image.image_url'] as const;

const { model, user, stream, temperature, top_p, seed, top_k, min_p, repetition_penalty, stop } = commonFields;
const fields = {
  // The last five are not OpenAI's, but vLLM's, as on the other endpoints.
  ...{ model, user, stream, temperature, top_p, seed, top_k, min_p, repetition_penalty, stop },
  ...inputFields,
  ...responseToolFields,
  stream_options: optional(z.object({ include_obfuscation: optional(z.boolean()) })),
  max_output_tokens: optional(z.number().int().min(1)),
  text: optional(z.object({ format: optional(format), verbosity: optional(z.enum(['low', 'medium', 'high'])) })),
  /** There are no summaries: the thought is told as it is. */
  reasoning: optional(
    z.strictObject({
      effort: optional(z.enum(EFFORTS)),
      summary: optional(z.string()),
      generate_summary: optional(z.string()),
      // At the values that say what is done anyhow.
      context: optional(z.literal('auto')),
      mode: optional(z.literal('standard')),
    }),
  ),
  include: optional(z.array(z.enum(INCLUDABLE))),
  top_logprobs: optional(topLogprobsSchema),
  safety_identifier: optional(routingKeySchema),
  /** Given back with the answer. */
  metadata: optional(z.record(z.string().max(64), z.string().max(512))),
};
const schema = z.object(fields);
/** What an answer repeats of its request. */
export type ResponseSettings = z.output<typeof schema>;

interface ResponseRequest {
  asked: OpenAiRequest;
  settings: ResponseSettings;
}

export function parseResponseRequest(body: Readonly<Record<string, unknown>>): ResponseRequest {
  checkInputParts(body.input);
  checkToolTypes(body.tools);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), RESPONSE_PARAMETERS);
  const settings = parsed.data;
  const messages = inputMessages(settings);
  const { input, constraint, tools } = conversation({ param: 'input', messages, offer: responseToolOffer(settings), asked: () => constraintOf(settings) });
  const logprobs = logprobsOf(settings);
  const asked = toRequest(settings, {
    inputs: [{ ...input, ...effortOptions(settings.reasoning?.effort) }],
    constraint,
    tools,
    userAliases: [settings.safety_identifier],
    echo: false,
    maxTokens: settings.max_output_tokens,
    maxTokensDefault: longestAnswer(1, logprobs),
    logprobs,
  });
  return { asked, settings };
}

const logprobsOf = ({ include = [], top_logprobs: top }: ResponseSettings): number | null =>
  include.includes(LOGPROBS) || top ? (top ?? 0) : null;

function constraintOf({ text }: ResponseSettings): NamedConstraint | null {
  const asked = text?.format;
  if (!asked || asked.type === 'text') return null;
  if (asked.type === 'json_object' || asked.schema === undefined) return { name: 'text.format', constraint: { type: 'json' } };
  return { name: 'text.format.schema', constraint: schemaConstraint(asked) };
}
