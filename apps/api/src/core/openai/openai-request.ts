/** What the requests of the endpoints that generate have in common. */
import { choicesSchema, logitBiasSchema, samplingSchema } from '@aril/contracts';
import { z } from 'zod';
import { INPUT_CHARS_MAX, LOGPROBS_MAX, routingKeySchema, targetSchema, type GenerationInput, type GenerationRequest, type RequestedSampling } from '../generations/generation-request.js';
import { constraintFields, type NamedConstraint } from './openai-constraint.js';
import { refuse } from './openai-error.js';
import { optional } from './optional.js';
import type { OfferedTools } from './tools/offered-tools.js';

export interface OpenAiRequest {
  /** One per prompt, in their order; a chat is one. They differ in nothing else. */
  generations: readonly Omit<GenerationRequest, 'idempotencyKey'>[];
  stream: boolean;
  includeUsage: boolean;
  /** Of each generation; null: the text is free. */
  constraint: NamedConstraint | null;
  /** What the answers may call; null: nothing, and all of them is text. */
  tools: OfferedTools | null;
}

const { shape } = samplingSchema;
const stopText = z.string().max(256);

export const commonFields = {
  model: targetSchema,
  /** Which variant of a deployment answers: always the same to one user. */
  user: optional(routingKeySchema),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.object({ include_usage: optional(z.boolean()), include_obfuscation: optional(z.boolean()) }),
  ),
  max_tokens: optional(z.number().int().min(1)),
  temperature: optional(z.number().min(0).max(2)),
  /** 0 is the limit of ever smaller ones: the likeliest token alone. */
  top_p: optional(z.number().min(0).max(1)),
  /** Any integer: OpenAI's seeds are 64 bit and signed, ours are the low 32 bits. */
  seed: optional(z.number().refine(Number.isInteger, 'expected an integer')),
  n: optional(choicesSchema),
  presence_penalty: optional(z.number().min(-2).max(2)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  logit_bias: optional(logitBiasSchema),
  stop: optional(
    z.union([stopText, z.array(stopText).max(8)], 'expected a string or at most 8 strings, of up to 256 characters'),
  ),
  // Not OpenAI's, but those of vLLM and others: clients send them through `extra_body`.
  top_k: optional(z.number().int().min(-1).max(1_000_000)),
  min_p: optional(z.number().min(0).max(1)),
  repetition_penalty: optional(z.number().gt(0).max(2)),
  min_tokens: optional(z.number().int().min(0)),
  ignore_eos: optional(z.boolean()),
  stop_token_ids: optional(z.array(z.number().int().min(0)).max(64)),
  ...constraintFields,
};

type CommonFields = z.output<z.ZodObject<typeof commonFields>>;

export const streamOptionsNeedStream = {
  check: (body: Pick<CommonFields, 'stream' | 'stream_options'>): boolean =>
    body.stream_options === undefined || body.stream === true,
  issue: { path: ['stream_options'], message: 'allowed only when stream is true' },
};

/** Each text has its own bound; this is that of all together. */
export function checkLength(param: string, texts: readonly string[]): void {
  const chars = texts.reduce((sum, { length }) => sum + length, 0);
  if (chars > INPUT_CHARS_MAX) refuse(param, `${param}: expected at most ${INPUT_CHARS_MAX} characters in all, found ${chars}.`);
}

/** An answer ends when the model ends it or its context is full, unless log probabilities fill the memory before. */
export const longestAnswer = (n: number, logprobs: number | null): number =>
  logprobs === null ? Number.MAX_SAFE_INTEGER : Math.floor(LOGPROBS_MAX / (n * (1 + logprobs)));

/** What differs between the endpoints. */
interface Particulars extends Pick<GenerationRequest, 'logprobs' | 'echo' | 'prediction'>, Pick<OpenAiRequest, 'constraint' | 'tools'> {
  /** Newer names of `user`. */
  userAliases?: readonly (string | undefined)[];
  inputs: readonly GenerationInput[];
  maxTokens: number | undefined;
  /** When the caller gives no number; as much of it as the context has. */
  maxTokensDefault: number;
}

export function toRequest(body: CommonFields, { inputs, logprobs, echo, prediction, constraint, tools, userAliases = [], ...lengths }: Particulars): OpenAiRequest {
  const common = {
    target: body.model,
    // Some clients send "" for a user they do not know; all of those are not one user.
    routingKey: [body.user, ...userAliases].find(Boolean) ?? null,
    sampling: toSampling(body, lengths),
    n: body.n ?? 1,
    logprobs,
    echo,
    // An empty one predicts nothing.
    prediction: prediction || undefined,
    constraint: constraint?.constraint ?? null,
  };
  return {
    generations: inputs.map((input) => ({ ...common, input })),
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    constraint,
    tools,
  };
}

function toSampling(body: CommonFields, { maxTokens, maxTokensDefault }: Pick<Particulars, 'maxTokens' | 'maxTokensDefault'>): RequestedSampling {
  return {
    temperature: body.temperature ?? shape.temperature.parse(undefined),
    // The engine's topP is above 0; the likeliest token alone is topK's 1.
    topP: body.top_p || shape.topP.parse(undefined),
    // vLLM's -1 and our 0 both mean all tokens.
    topK: body.top_p === 0 ? 1 : Math.max(0, body.top_k ?? 0),
    minP: body.min_p ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    frequencyPenalty: body.frequency_penalty ?? 0,
    presencePenalty: body.presence_penalty ?? 0,
    logitBias: body.logit_bias ?? {},
    seed: body.seed === undefined ? undefined : body.seed >>> 0,
    maxTokens,
    // A default that is not used makes no other request of it.
    maxTokensDefault: maxTokens === undefined ? maxTokensDefault : undefined,
    minTokens: body.min_tokens ?? 0,
    // Some clients send "" for "no stop string".
    stop: [body.stop ?? []].flat().filter((text) => text !== ''),
    stopTokens: body.stop_token_ids ?? [],
    ignoreEos: body.ignore_eos ?? false,
  };
}
