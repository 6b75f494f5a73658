import { z } from 'zod';
import { EngineError } from './engine-error.js';
import type { NativeRequest } from './native.js';
import { ADAPTER_TYPES, DEVICE, KV_TYPES, WEIGHT_TYPES } from './engine-choices.js';
import type { EngineOptions, GenerationRequest } from './types.js';

/**
 * Shapes of what callers pass. Every message in a schema is the "expected" half of a sentence; limits that depend
 * on the model (context length, vocabulary) are checked by the engine, which knows them.
 */
const INT32_MAX = 2 ** 31 - 1;
const count = (least: number) => {
  const text = least === 0 ? 'a whole number of at least 0' : `a whole number of at least ${least}`;
  return z.int(text).min(least, text).max(INT32_MAX, `at most ${INT32_MAX}`);
};
const byteCount = z.number('a number of bytes').int('a whole number of bytes').min(1, 'at least 1 byte');

const choice = <const Name extends string>(...names: Name[]) =>
  z.enum(names, `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`).optional();

const optionsSchema = z.strictObject(
  {
    model: z
      .string('a path')
      .min(1, 'a path')
      .regex(/^[^\0]*$/, 'a path without NUL characters'),
    kvBlockSize: count(1).max(1024, 'at most 1024').optional(),
    memoryBytes: byteCount.optional(),
    kvBytes: byteCount.optional(),
    adapterBytes: byteCount.optional(),
    maxBatch: count(1).max(4096, 'at most 4096').optional(),
    maxStepTokens: count(1).optional(),
    draftTokens: count(0).optional(),
    prefixCache: z.boolean('true or false').optional(),
    threads: count(0).max(1024, 'at most 1024').optional(),
    isa: choice('avx512_bf16', 'avx512_vnni', 'avx512', 'avx2', 'neon', 'portable'),
    device: z.string('a device').regex(DEVICE, 'auto, cpu or cuda:0, cuda:1 …').optional(),
    batchInvariant: z.boolean('true or false').optional(),
    adapterHostBytes: z.int('a whole number of bytes').min(0, 'at least 0').optional(),
    weightType: choice('auto', ...WEIGHT_TYPES),
    adapterType: choice('auto', ...ADAPTER_TYPES),
    kvType: choice('auto', ...KV_TYPES),
    vocabulary: z
      .array(
        z.instanceof(Uint8Array, { error: 'bytes (Uint8Array) or null' }).nullable(),
        'an array of bytes or null',
      )
      .optional(),
  },
  'an object with engine options',
);

const penalty = z.number('a number from -2 to 2').min(-2, 'at least -2').max(2, 'at most 2');

const samplingSchema = z.strictObject(
  {
    temperature: z.number('a number').min(0, 'at least 0').default(0),
    topK: count(0).default(0),
    topP: z.number('a number').gt(0, 'more than 0').max(1, 'at most 1').default(1),
    minP: z.number('a number').min(0, 'at least 0').max(1, 'at most 1').default(0),
    seed: z
      .int('a whole number')
      .min(0, 'at least 0')
      .max(0xffff_ffff, 'an unsigned 32-bit number')
      .default(0),
    repetitionPenalty: z.number('a number').gt(0, 'more than 0').default(1),
    frequencyPenalty: penalty.default(0),
    presencePenalty: penalty.default(0),
    logitBias: z
      .record(
        z
          .string()
          .regex(/^\d{1,10}$/, 'token ids as keys')
          .refine((id) => Number(id) <= INT32_MAX, 'token ids as keys'),
        z.number('a number from -100 to 100').min(-100, 'at least -100').max(100, 'at most 100'),
        'an object from token ids to numbers',
      )
      .default({}),
    minTokens: count(0).default(0),
  },
  'an object with sampling options',
);

/** `every` skips holes, and a copy would make zeros of them. */
const hasHoles = (array: unknown[]): boolean => array.includes(undefined);

/** Not an array schema: a prompt has thousands of tokens, and one pass that also converts them is enough. */
const isTokens = (value: unknown): value is Int32Array | number[] =>
  value instanceof Int32Array ||
  (Array.isArray(value) &&
    !hasHoles(value) &&
    value.every((token) => Number.isInteger(token) && Math.abs(token) <= INT32_MAX));
const tokens = z.custom<Int32Array | number[]>(isTokens, 'an Int32Array or an array of token ids');
const tokensByChoice = z.custom<Int32Array | number[] | (Int32Array | number[])[]>(
  (value) => isTokens(value) || (Array.isArray(value) && !hasHoles(value) && value.every(isTokens)),
  'token ids, or a list of token ids per choice',
);

const sourceText = z.string('a string').min(1, 'a non-empty string');
const constraintSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('json') }),
    z.strictObject({
      type: z.literal('jsonSchema'),
      schema: z.union([z.record(z.string(), z.unknown()), sourceText], 'a JSON Schema or its JSON text'),
      relaxed: z.boolean('true or false').optional(),
      relaxedDefinitions: z.array(z.string('a string'), 'names of definitions').optional(),
    }),
    z.strictObject({
      type: z.literal('calls'),
      schema: z.record(z.string(), z.unknown(), 'a schema with $defs'),
      functions: z.array(z.string('a string'), 'names of functions').min(1, 'at least one'),
      relaxedDefinitions: z.array(z.string('a string'), 'names of definitions').optional(),
      required: z.boolean('true or false'),
      parallel: z.boolean('true or false'),
      answer: z.string('the name of a definition').optional(),
    }),
    z.strictObject({ type: z.literal('regex'), pattern: sourceText }),
    z.strictObject({ type: z.literal('grammar'), grammar: sourceText }),
  ],
  'a constraint with the type json, jsonSchema, calls, regex or grammar',
);

/** From the elements themselves, whatever iterator an array claims to have. A detached one has none. */
const copyTokens = (tokens: Int32Array | number[] = []): Int32Array =>
  tokens.length === 0 ? new Int32Array() : new Int32Array(tokens);

const requestSchema = z.strictObject(
  {
    id: z.string('a string').min(1, 'a non-empty string'),
    promptTokens: tokens,
    resumeTokens: tokensByChoice.optional(),
    predictionTokens: tokens.optional(),
    adapter: z.string('the name of a loaded adapter').min(1, 'the name of a loaded adapter').optional(),
    sampling: samplingSchema.optional(),
    cacheSalt: z.string('a string').optional(),
    n: count(1).max(16, 'at most 16').optional(),
    maxTokens: count(1),
    stop: z.array(z.string('a string').min(1, 'a non-empty string'), 'an array of strings').optional(),
    stopTokens: tokens.optional(),
    silentTokens: tokens.optional(),
    ignoreEos: z.boolean('true or false').optional(),
    constraint: constraintSchema.optional(),
    thought: z.enum(['open', 'possible', 'channels'], 'open, possible or channels').optional(),
    logprobs: count(0).max(20, 'at most 20').optional(),
    promptLogprobs: count(0).max(20, 'at most 20').optional(),
    logits: z.enum(['none', 'last', 'prompt'], 'none, last or prompt').optional(),
  },
  'an object with a generation request',
);

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${String(key)}` : String(key),
    '',
  );

/** Not every object becomes a string: some have no toString, or one that throws. */
function plainText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

function foundText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const text = typeof value === 'string' ? JSON.stringify(value) : plainText(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The first problem, as `field: found X; expected Y.` */
function check<Schema extends z.ZodType>(schema: Schema, value: unknown, name: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = pathText([...issue.path, issue.keys[0]!]);
    throw new EngineError('bad_argument', `${key}: found an unknown field; expected only known ones.`);
  }
  const field = pathText(issue.path) || name;
  throw new EngineError(
    'bad_argument',
    `${field}: found ${foundText(at(value, issue.path))}; expected ${issue.message}.`,
  );
}

export function checkOptions(options: EngineOptions): EngineOptions {
  const checked = check(optionsSchema, options, 'options');
  const { maxBatch, maxStepTokens } = checked;
  if (maxStepTokens !== undefined) return checked;
  // The default step grows with the batch: every running request gets a token in every step.
  return maxBatch === undefined ? checked : { ...checked, maxStepTokens: Math.max(256, maxBatch) };
}

/** A list per choice, from what may be one list when there is one choice. */
function resumeByChoice(tokens: GenerationRequest['resumeTokens'], n: number): Int32Array[] {
  if (!tokens || tokens.length === 0) return [];
  const single = isTokens(tokens);
  const lists = single ? [tokens] : tokens;
  if (lists.length !== n)
    throw new EngineError(
      'bad_argument',
      `resumeTokens: found ${single ? 'one list of tokens' : `${lists.length} lists`}; expected ${n}, one per choice.`,
    );
  return lists.map((list) => copyTokens(list));
}

/** What C++ reads, and the constraint with what is about it, which it does not. */
export type CheckedRequest = NativeRequest & Pick<GenerationRequest, 'constraint' | 'thought'>;

export function checkRequest(request: GenerationRequest): CheckedRequest {
  const { promptTokens, resumeTokens, predictionTokens, stopTokens, silentTokens, sampling, ...rest } = check(
    requestSchema,
    request,
    'request',
  );
  const n = rest.n ?? 1;
  if (rest.constraint && rest.ignoreEos)
    throw new EngineError(
      'bad_argument',
      'ignoreEos: found true; expected false with a constraint, whose texts end with an end token.',
    );
  const { logitBias, ...numbers } = sampling ?? samplingSchema.parse({});
  return {
    ...rest,
    n,
    constrained: rest.constraint !== undefined,
    promptTokens: copyTokens(promptTokens),
    resumeTokens: resumeByChoice(resumeTokens, n),
    predictionTokens: copyTokens(predictionTokens),
    stopTokens: copyTokens(stopTokens),
    silentTokens: copyTokens(silentTokens),
    sampling: {
      ...numbers,
      biasedTokens: Int32Array.from(Object.keys(logitBias), Number),
      biases: Float32Array.from(Object.values(logitBias)),
    },
    ignoreEos: rest.ignoreEos ?? false,
    logits: rest.logits ?? 'none',
  };
}

export function checkText(value: unknown, field: string): string {
  return check(z.string('a non-empty string').min(1, 'a non-empty string'), value, field);
}

/** A path goes to the system as a C string, where a NUL would end it early: another file would be opened. */
export function checkPath(value: unknown, field: string): string {
  const path = checkText(value, field);
  if (!path.includes('\0')) return path;
  throw new EngineError('bad_argument', `${field}: found a path with a NUL character; expected one without.`);
}
