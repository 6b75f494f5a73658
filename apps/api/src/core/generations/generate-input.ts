/** GraphQL's `GenerateInput` → `GenerationRequest`: ranges and lengths, each error naming the field as the input has it. */
import { ArilError } from '@aril/contracts';
import { z } from 'zod';
import { validInput } from '../../base/errors/validate.js';
import {
  idempotencyKeySchema,
  INPUT_CHARS_MAX,
  MESSAGES_MAX,
  requestedSamplingSchema,
  targetSchema,
  type FieldNames,
  type GenerationInput,
  type GenerationRequest,
} from './generation-request.js';
import type { GenerateInput } from './generation.inputs.js';

const schema = z.object({
  target: targetSchema,
  prompt: z.string().max(INPUT_CHARS_MAX).nullish(),
  messages: z
    .array(z.object({ role: z.enum(['SYSTEM', 'USER', 'ASSISTANT']), content: z.string() }))
    .min(1)
    .max(MESSAGES_MAX)
    .nullish(),
  sampling: requestedSamplingSchema.prefault({}),
  idempotencyKey: idempotencyKeySchema.nullish(),
});

export function toRequest(input: GenerateInput): GenerationRequest {
  const given = validInput(schema, { ...input, sampling: withoutNulls(input.sampling) });
  const { target, sampling, idempotencyKey } = given;
  return { target, input: inputOf(given), sampling, idempotencyKey: idempotencyKey ?? null };
}

export function fieldNames(input: GenerateInput): FieldNames {
  return {
    target: 'target',
    input: input.messages ? 'messages' : 'prompt',
    maxTokens: 'sampling.maxTokens',
    idempotencyKey: 'idempotencyKey',
  };
}

function inputOf({ prompt, messages }: z.infer<typeof schema>): GenerationInput {
  if (typeof prompt === 'string' && !messages) return { kind: 'prompt', prompt };
  if (messages && typeof prompt !== 'string') {
    checkLength(messages);
    const lowered = messages.map(({ role, content }) => ({ role: lower(role), content }));
    return { kind: 'messages', messages: lowered };
  }
  const found = messages ? 'both' : 'neither';
  throw new ArilError('BAD_INPUT', `prompt: expected exactly one of prompt and messages, found ${found}`, 'prompt');
}

const lower = <T extends string>(text: T): Lowercase<T> => text.toLowerCase() as Lowercase<T>;

function checkLength(messages: readonly { content: string }[]): void {
  const chars = messages.reduce((sum, message) => sum + message.content.length, 0);
  if (chars <= INPUT_CHARS_MAX) return;
  throw new ArilError('BAD_INPUT', `messages: expected at most ${INPUT_CHARS_MAX} characters in all, found ${chars}`, 'messages');
}

/** In GraphQL null and absent both mean "the default". */
const withoutNulls = (sampling: object | null | undefined): object =>
  Object.fromEntries(Object.entries(sampling ?? {}).filter(([, value]) => value !== null));
