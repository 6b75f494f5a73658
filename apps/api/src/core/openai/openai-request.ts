/** What `POST /v1/chat/completions` and `POST /v1/completions` have in common. */
import { samplingSchema } from '@aril/contracts';
import { z } from 'zod';
import { targetSchema, type RequestedSampling } from '../generations/generation-request.js';

/** null is how several clients say "not given". */
export const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();

const { shape } = samplingSchema;
const stopText = z.string().max(256);

export const commonFields = {
  model: targetSchema,
  stream: optional(z.boolean()),
  stream_options: optional(
    z.object({ include_usage: optional(z.boolean()), include_obfuscation: optional(z.boolean()) }),
  ),
  max_tokens: optional(z.number().int().min(1)),
  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().gt(0).max(1)),
  /** Any integer: OpenAI's seeds are 64 bit and signed, ours are the low 32 bits. */
  seed: optional(z.number().int()),
  stop: optional(
    z.union([stopText, z.array(stopText).max(8)], 'expected a string or at most 8 strings, of up to 256 characters'),
  ),
  // Not OpenAI's, but those of vLLM and others: clients send them through `extra_body`.
  top_k: optional(z.number().int().min(-1).max(1_000_000)),
  min_p: optional(z.number().min(0).max(1)),
  ignore_eos: optional(z.boolean()),
  stop_token_ids: optional(z.array(z.number().int().min(0)).max(64)),
};

export type CommonFields = z.output<z.ZodObject<typeof commonFields>>;

export const streamOptionsNeedStream = {
  check: (body: Pick<CommonFields, 'stream' | 'stream_options'>): boolean =>
    body.stream_options === undefined || body.stream === true,
  issue: { path: ['stream_options'], message: 'allowed only when stream is true' },
};

export function toSampling(body: CommonFields, maxTokens: number | undefined): RequestedSampling {
  return {
    temperature: body.temperature ?? shape.temperature.parse(undefined),
    topP: body.top_p ?? shape.topP.parse(undefined),
    // vLLM's -1 and our 0 both mean all tokens.
    topK: Math.max(0, body.top_k ?? 0),
    minP: body.min_p ?? 0,
    seed: body.seed === undefined ? undefined : body.seed >>> 0,
    maxTokens,
    // Some clients send "" for "no stop string".
    stop: [body.stop ?? []].flat().filter((text) => text !== ''),
    stopTokens: body.stop_token_ids ?? [],
    ignoreEos: body.ignore_eos ?? false,
  };
}
