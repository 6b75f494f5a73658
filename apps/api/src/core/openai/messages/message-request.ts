/** The body of `POST /v1/messages`, as Anthropic's clients send it. */
import { z } from 'zod';
import { routingKeySchema } from '../../generations/generation-request.js';
import { schemaConstraint, type NamedConstraint } from '../openai-constraint.js';
import { refuseIssue } from '../openai-error.js';
import { checkParameters, MESSAGE_PARAMETERS } from '../openai-parameters.js';
import { commonFields, toRequest, type OpenAiRequest } from '../openai-request.js';
import { optional } from '../optional.js';
import { EFFORTS, effortOptions } from '../reasoning/effort.js';
import { conversation } from '../tools/conversation.js';
import { beginsAnswer, checkBlocks, inputMessages, messageFields } from './message-input.js';
import { checkMessageTools, messageToolFields, messageToolOffer } from './message-tools.js';

const format = z.object({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) });
/** `display` "omitted": it thinks, and tells nothing of it. */
const display = optional(z.enum(['summarized', 'omitted']));

const thinking = optional(
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('enabled'), budget_tokens: optional(z.number().int().min(1)), display }),
    z.object({ type: z.literal('adaptive'), display }),
    z.object({ type: z.literal('disabled') }),
  ]),
);

const { model, stream, temperature, top_p, top_k, stop } = commonFields;
const fields = {
  ...{ model, stream, temperature, top_p, top_k },
  ...messageFields,
  ...messageToolFields,
  /** The most there may be: where the context has room for less, the answer ends with it. */
  max_tokens: z.number().int().min(1),
  stop_sequences: stop,
  thinking,
  output_config: optional(z.strictObject({ effort: optional(z.enum(EFFORTS)), format: optional(format) })),
  /** The older name of `output_config.format`. */
  output_format: optional(format),
  metadata: optional(z.object({ user_id: optional(routingKeySchema) })),
};
type Thinking = NonNullable<z.output<typeof thinking>>;
const isThinking = <Body extends { thinking?: Thinking }>(body: Body): body is Body & { thinking: Exclude<Thinking, { type: 'disabled' }> } => body.thinking !== undefined && body.thinking.type !== 'disabled';

const schema = z.object(fields).refine((body) => !(beginsAnswer(body) && isThinking(body)), {
  path: ['thinking'],
  message: 'expected none where the last message begins the answer',
});
type Fields = z.output<typeof schema>;

/** What an answer needs to know of its request. */
export interface MessageSettings {
  maxTokens: number;
  /** Whether thoughts are told. */
  tellsThoughts: boolean;
}

interface MessageRequest {
  asked: OpenAiRequest;
  settings: MessageSettings;
}

export function parseMessageRequest(body: Readonly<Record<string, unknown>>): MessageRequest {
  checkBlocks(body);
  checkMessageTools(body.tools);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), MESSAGE_PARAMETERS);
  const { data } = parsed;
  const { input, constraint, tools } = conversation({ param: 'messages', messages: inputMessages(data), offer: messageToolOffer(data), asked: () => constraintOf(data), continueFinal: beginsAnswer(data) });
  const { max_tokens: maxTokens, stop_sequences: stopSequences, metadata, ...common } = data;
  const asked = toRequest(
    { ...common, stop: stopSequences, user: metadata?.user_id },
    { inputs: [{ ...input, ...thinkingOptions(data) }], constraint, tools, echo: false, maxTokens: undefined, maxTokensDefault: maxTokens, logprobs: null },
  );
  return { asked, settings: { maxTokens, tellsThoughts: tellsThoughts(data) } };
}

/** Who does not ask for thoughts has none: Anthropic's clients then take the first block for the answer. */
function thinkingOptions({ output_config: config, ...body }: Fields): ReturnType<typeof effortOptions> {
  const isOn = isThinking(body);
  return effortOptions(isOn ? config?.effort : undefined, { enable_thinking: isOn });
}

const tellsThoughts = (body: Fields): boolean => isThinking(body) && body.thinking.display !== 'omitted';

function constraintOf({ output_config: config, output_format: older }: Fields): NamedConstraint | null {
  if (config?.format) return { name: 'output_config.format.schema', constraint: schemaConstraint(config.format) };
  return older ? { name: 'output_format.schema', constraint: schemaConstraint(older) } : null;
}
