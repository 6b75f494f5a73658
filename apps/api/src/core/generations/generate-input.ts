/** GraphQL's `GenerateInput` → `GenerationRequest`: ranges and lengths, each error naming the field as the input has it. */
import { ArilError, choicesSchema, predictionSchema, topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { validInput } from '../../base/errors/validate.js';
import {
  idempotencyKeySchema,
  INPUT_CHARS_MAX,
  MESSAGES_MAX,
  requestedSamplingSchema,
  routingKeySchema,
  targetSchema,
  type FieldNames,
  type GenerationInput,
  type GenerationRequest,
} from './generation-request.js';
import { constraintInputSchema, toConstraint } from './constraint-input.js';
import type { GenerateInput, MessageInput, SamplingInput } from './generation.inputs.js';

const messageSchema = z
  .object({ role: z.enum(['SYSTEM', 'USER', 'ASSISTANT']), content: z.string(), reasoning: z.string().nullish() })
  .refine(({ role, reasoning }) => role === 'ASSISTANT' || !reasoning, {
    path: ['reasoning'],
    message: 'expected it in messages of the ASSISTANT alone',
  });

const schema = z
  .object({
    target: targetSchema,
    routingKey: routingKeySchema.min(1).nullish(),
    prompt: z.string().max(INPUT_CHARS_MAX).nullish(),
    messages: z.array(messageSchema).min(1).max(MESSAGES_MAX).nullish(),
    continueFinal: z.boolean().nullish(),
    sampling: requestedSamplingSchema.prefault({}),
    n: choicesSchema.nullish(),
    logprobs: topLogprobsSchema.nullish(),
    constraint: constraintInputSchema.nullish(),
    prediction: predictionSchema.nullish(),
    idempotencyKey: idempotencyKeySchema.nullish(),
  })
  .refine(({ continueFinal, messages }) => !continueFinal || isContinuable(messages?.at(-1)), {
    path: ['continueFinal'],
    message: "expected true only where the last message is the ASSISTANT's, with a text",
  });

const isContinuable = (message: z.output<typeof messageSchema> | undefined): boolean => message?.role === 'ASSISTANT' && message.content !== '';

export function toRequest(input: GenerateInput): GenerationRequest {
  const given = validInput(schema, { ...input, sampling: samplingOf(input.sampling ?? {}) });
  const { target, routingKey, sampling, n, logprobs, constraint, prediction, idempotencyKey } = given;
  return {
    target,
    routingKey: routingKey ?? null,
    input: inputOf(given),
    sampling,
    n: n ?? 1,
    logprobs: logprobs ?? null,
    echo: false,
    constraint: constraint ? toConstraint(constraint) : null,
    prediction: prediction || undefined,
    idempotencyKey: idempotencyKey ?? null,
  };
}

export function fieldNames(input: GenerateInput): FieldNames {
  return {
    target: 'target',
    input: input.messages ? 'messages' : 'prompt',
    maxTokens: 'sampling.maxTokens',
    minTokens: 'sampling.minTokens',
    logprobs: 'logprobs',
    idempotencyKey: 'idempotencyKey',
  };
}

function inputOf({ prompt, messages, continueFinal }: z.infer<typeof schema>): GenerationInput {
  if (typeof prompt === 'string' && !messages) return { kind: 'prompt', prompt };
  if (messages && typeof prompt !== 'string') {
    checkLength(messages);
    const lowered = messages.map(({ role, content, reasoning }) => ({ role: lower(role), content, ...(reasoning && { reasoning }) }));
    return { kind: 'messages', messages: lowered, ...(continueFinal && { continueFinal }) };
  }
  const found = messages ? 'both' : 'neither';
  throw new ArilError('BAD_INPUT', `prompt: expected exactly one of prompt and messages, found ${found}`, 'prompt');
}

const lower = <T extends string>(text: T): Lowercase<T> => text.toLowerCase() as Lowercase<T>;

function checkLength(messages: readonly Pick<MessageInput, 'content' | 'reasoning'>[]): void {
  const chars = messages.reduce((sum, { content, reasoning }) => sum + content.length + (reasoning?.length ?? 0), 0);
  if (chars <= INPUT_CHARS_MAX) return;
  throw new ArilError('BAD_INPUT', `messages: expected at most ${INPUT_CHARS_MAX} characters in all, found ${chars}`, 'messages');
}

/** In GraphQL null and absent both mean "the default", and a map is a list of pairs. */
function samplingOf({ logitBias, ...sampling }: SamplingInput): object {
  const given = Object.entries(sampling).filter(([, value]) => value !== null);
  const bias = logitBias?.map((entry) => [entry.token, entry.bias] as const) ?? [];
  return { ...Object.fromEntries(given), logitBias: Object.fromEntries(bias) };
}
