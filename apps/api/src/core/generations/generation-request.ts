/**
 * What a caller asks for, whichever door it came through (GraphQL or the OpenAI-compatible endpoints): both map
 * their own shapes to `GenerationRequest`, so that limits and their messages are written once.
 */
import { createHash } from 'node:crypto';
import { ArilError, samplingSchema, type Constraint, type GenerationJob, type Sampling, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';

export const MAX_TOKENS_DEFAULT = 256;
/** A prompt beyond this cannot fit any supported context; refusing it here keeps it out of Redis. */
export const INPUT_CHARS_MAX = 4_000_000;
export const MESSAGES_MAX = 2_048;
export const IDEMPOTENCY_KEY_CHARS_MAX = 255;
/** Only ever hashed: the bound keeps a mistake from being taken for a key. */
const ROUTING_KEY_CHARS_MAX = 1_024;
/** Of one answer, alternatives included. Each is some 60 bytes of JSON in the stream, the process and the response. */
export const LOGPROBS_MAX = 500_000;

export type GenerationInput = GenerationJob['input'];

export const requestedSamplingSchema = samplingSchema.extend({
  seed: samplingSchema.shape.seed.optional(),
  maxTokens: samplingSchema.shape.maxTokens.min(1).optional(),
});
export type RequestedSampling = z.infer<typeof requestedSamplingSchema> & {
  /** Of a door whose `maxTokens` left out means another number than `MAX_TOKENS_DEFAULT`; as much as the context has. */
  maxTokensDefault?: number;
};

export const targetSchema = textWithoutNul.min(1).max(255);
export const idempotencyKeySchema = textWithoutNul.min(1).max(IDEMPOTENCY_KEY_CHARS_MAX);

export const routingKeySchema = z.string().max(ROUTING_KEY_CHARS_MAX);

export interface GenerationRequest {
  /** An adapter's or a deployment's slug, or a base model's id. */
  target: string;
  /** Equal keys have the same variant of a deployment, such as a user's id; null: any, by weight. */
  routingKey: string | null;
  input: GenerationInput;
  sampling: RequestedSampling;
  /** How many answers. */
  n: number;
  /** Alternatives with each token's log probability; null: none asked for. */
  logprobs: number | null;
  /** Whether the prompt is told before its answers, with the log probabilities of its tokens if those are asked for. */
  echo: boolean;
  constraint: Constraint | null;
  /** What the answers are thought to be, for the most part; left out: nothing is. */
  prediction?: string | undefined;
  idempotencyKey: string | null;
  /** Of a line of a batch, which nobody waits for: until when it has time. */
  deadlineAt?: Date;
}

/**
 * Identity of a request for idempotency: equal requests, equal hash. Defaults are filled in before hashing, so
 * leaving a value out and giving its default are the same request. A seed left out stays out: it is derived from
 * the generation. So does the routing key: whom an answer is for does not change what is asked. Nor does how long he waits.
 */
export function requestHash(request: GenerationRequest): string {
  const { idempotencyKey: _key, routingKey: _routing, deadlineAt: _deadline, ...asked } = request;
  return createHash('sha256').update(canonicalJson(asked)).digest('hex');
}

/** JSON with object keys in one order, undefined members left out. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/**
 * The seed of a generation whose caller gave none: unpredictable because the id holds random bits, and yet the same
 * whenever the job is built again, so a job added twice cannot sample twice.
 */
export function seedOf(generationId: string): number {
  return createHash('sha256').update(generationId).digest().readUInt32LE(0);
}

/** Of each answer. */
export const maxTokensOf = ({ maxTokens, maxTokensDefault = MAX_TOKENS_DEFAULT }: RequestedSampling, contextTokens: number): number =>
  maxTokens ?? Math.min(maxTokensDefault, contextTokens);

/** The sampling of the job, complete; `contextTokens` is the base model's. */
export function completeSampling(requested: RequestedSampling, generationId: string, contextTokens: number): Sampling {
  const seed = requested.seed ?? seedOf(generationId);
  const { maxTokensDefault: _door, ...sampling } = requested;
  return { ...sampling, seed, maxTokens: maxTokensOf(requested, contextTokens) };
}

/** Checks that hold for every door and need the base model: sizes against its context. */
export function checkAgainstContext(request: GenerationRequest, contextTokens: number, names: FieldNames): void {
  const maxTokens = maxTokensOf(request.sampling, contextTokens);
  const { minTokens } = request.sampling;
  if (maxTokens > contextTokens) refuseNumber(names.maxTokens, `${contextTokens}, the model's context`, maxTokens);
  if (minTokens > maxTokens) refuseNumber(names.minTokens, `${maxTokens}, the largest number of tokens`, minTokens);
  checkLogprobs({ tokens: request.n * maxTokens + echoedTokensMax(request), logprobs: request.logprobs }, names.logprobs);
  if (request.input.kind === 'tokens' && request.input.tokens.length >= contextTokens) {
    throw new ContextTooLong(names.input, request.input.tokens.length, contextTokens);
  }
}

/** With its numbers, for a door that has a sentence of its own for it. */
export class ContextTooLong extends ArilError {
  constructor(
    field: string,
    readonly found: number,
    readonly contextTokens: number,
  ) {
    super('CONTEXT_TOO_LONG', `${field}: ${found} tokens leave no room in the model's context of ${contextTokens} tokens`, field);
  }
}

/** `tokens`: at most so many the caller gets at once; `logprobs`: alternatives of each, null for none. */
export function checkLogprobs({ tokens, logprobs }: { tokens: number; logprobs: number | null }, name: string): void {
  if (logprobs === null) return;
  const found = tokens * (1 + logprobs);
  if (found > LOGPROBS_MAX) refuseNumber(name, `${LOGPROBS_MAX} in all (tokens × alternatives)`, found);
}

/** Of a text's tokens, it is known that each has a byte. */
export function echoedTokensMax({ echo, input }: Pick<GenerationRequest, 'echo' | 'input'>): number {
  if (!echo) return 0;
  if (input.kind === 'tokens') return input.tokens.length;
  return input.kind === 'prompt' ? Buffer.byteLength(input.prompt) : 0;
}

function refuseNumber(name: string, most: string, found: number): never {
  throw new ArilError('BAD_INPUT', `${name}: expected at most ${most}, found ${found}`, name);
}

/** How the caller's door calls the fields that an error can name. */
export interface FieldNames {
  target: string;
  input: string;
  maxTokens: string;
  minTokens: string;
  logprobs: string;
  idempotencyKey: string;
}
