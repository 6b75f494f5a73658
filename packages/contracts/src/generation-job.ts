import { z } from 'zod';
import { constraintSchema, jsonSchemaSchema } from './constraint.js';
import { samplingSchema } from './sampling.js';
import { traceSchema } from './trace.js';

/** Answers to one prompt: each is sampled by itself, the prompt is computed once. */
export const CHOICES_MAX = 16;
export const choicesSchema = z.number().int().min(1).max(CHOICES_MAX);
/** In characters: several times the longest answers. */
export const PREDICTION_CHARS_MAX = 100_000;
export const predictionSchema = z.string().max(PREDICTION_CHARS_MAX, `expected at most ${PREDICTION_CHARS_MAX} characters`);
/** Alternatives reported with each token's log probability. */
export const topLogprobsSchema = z.number().int().min(0).max(20);

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');

const TEMPLATE_OPTIONS_MAX = 16;

/** OpenAI's bounds. */
export const TOOLS_MAX = 128;
export const toolNameSchema = z.string().regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, "_" or "-"');

/** A function that the answer may call. `parameters` is the JSON Schema of its arguments. */
export const toolSchema = z.object({
  name: toolNameSchema,
  description: z.string().optional(),
  parameters: jsonSchemaSchema.optional(),
});
export type Tool = z.infer<typeof toolSchema>;

export const toolCallSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** An object, as chat templates expect them; a text where what the model wrote is none. */
  arguments: z.union([z.record(z.string(), z.unknown()), z.string()]),
});
export type ToolCall = z.infer<typeof toolCallSchema>;

export const chatMessageSchema = z.object({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string(),
  /** What an assistant thought before it said that. */
  reasoning: z.string().optional(),
  /** What an assistant has called, besides what it said. */
  toolCalls: z.array(toolCallSchema).optional(),
  /** Of a `tool`: the call whose result it is, and the function's name. */
  toolCallId: z.string().optional(),
  toolName: z.string().optional(),
});
export type ChatMessage = z.infer<typeof chatMessageSchema>;

/** What a caller gives the model's chat template besides messages and tools, such as Qwen3's `enable_thinking`. */
export const templateOptionsSchema = z
  .record(z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'expected the name of a variable'), z.union([z.string().max(1_024), z.number(), z.boolean(), z.null()]))
  .refine((options) => Object.keys(options).length <= TEMPLATE_OPTIONS_MAX, `expected at most ${TEMPLATE_OPTIONS_MAX}`);

/**
 * An adapter by content. `sha256` is the adapter's identity (see `adapterSha256` in the API): equal for equal
 * content, whoever uploaded it and whatever it is called. Files are immutable objects in the object store.
 */
export const adapterRefSchema = z.object({
  sha256: sha256Schema,
  files: z
    .array(
      z.object({
        name: z.enum(['adapter_config.json', 'adapter_model.safetensors']),
        key: z.string().min(1),
        sha256: sha256Schema,
        bytes: z.number().int().positive(),
      }),
    )
    .length(2),
});
export type AdapterRef = z.infer<typeof adapterRefSchema>;

export const generationInputSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('messages'),
    messages: z.array(chatMessageSchema).min(1),
    /** Told to the model by its template. */
    tools: z.array(toolSchema).max(TOOLS_MAX).optional(),
    templateOptions: templateOptionsSchema.optional(),
    /** The last message is an assistant's, and the answer goes on where it ends. */
    continueFinal: z.boolean().optional(),
  }),
  z.object({ kind: z.literal('prompt'), prompt: z.string() }),
  z.object({ kind: z.literal('tokens'), tokens: z.array(z.number().int().min(0)).min(1) }),
]);

/**
 * One generation, API → runner. The BullMQ job id is the generation id, so adding it twice is one job.
 * Tokenizing and the chat template are the runner's: they come from the model's own files.
 */
export const generationJobSchema = z.object({
  version: z.literal(1),
  generationId: z.uuid(),
  tenantId: z.uuid(),
  baseModelId: z.string().min(1),
  /** null: the base model itself. */
  adapter: adapterRefSchema.nullable(),
  input: generationInputSchema,
  sampling: samplingSchema,
  n: choicesSchema.default(1),
  /** null: no log probabilities. */
  logprobs: topLogprobsSchema.nullable().default(null),
  /** The prompt is told before what follows it, in an event of its own; with `logprobs`, those of its tokens too. */
  echo: z.boolean().default(false),
  constraint: constraintSchema.nullable().default(null),
  /** What the answers are thought to be, for the most part. It changes nothing but how fast they come. */
  prediction: predictionSchema.optional(),
  /** Nobody waits for it: it comes after all that somebody waits for. */
  background: z.boolean().default(false),
  /** Milliseconds since the epoch. */
  enqueuedAtMs: z.number().int(),
  /** A job taken after this is ended as TIMED_OUT without being run. */
  deadlineMs: z.number().int(),
  /** For the logs; nothing depends on it. */
  trace: traceSchema.optional(),
});
export type GenerationJob = z.infer<typeof generationJobSchema>;

/** What a runner says of itself every few seconds; older than 15 s means gone. */
export const runnerHeartbeatSchema = z.object({
  runnerId: z.string(),
  baseModelId: z.string(),
  atMs: z.number().int(),
  device: z.string(),
  running: z.number().int(),
  waiting: z.number().int(),
  kvBlocksTotal: z.number().int(),
  kvBlocksFree: z.number().int(),
  adaptersResident: z.number().int(),
  adapterBytes: z.number().int(),
  stepMs: z.number(),
});
export type RunnerHeartbeat = z.infer<typeof runnerHeartbeatSchema>;
