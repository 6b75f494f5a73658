import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ADAPTER_TYPES, DEVICE, KV_TYPES, WEIGHT_TYPES } from './engine/engine-choices.js';

/** An empty variable means the same as an absent one: compose files and shells produce both. */
const optionalText = z.string().optional();
const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);

const GiB = 2 ** 30;

/** Every variable of the runner. The only place that knows their names; see also `.env.example`. */
export const configSchema = z.object({
  REDIS_URL: z.string().regex(/^rediss?:\/\//, 'expected a redis:// or rediss:// URL'),

  /** The queue this runner serves and the model it loads. */
  BASE_MODEL_ID: z.string().min(1),
  /** Folder with config.json, tokenizer and chat template, and the safetensors unless MODEL_WEIGHTS is set. */
  MODEL_DIR: z.string().min(1),
  /** Path of a `.gguf`. */
  MODEL_WEIGHTS: optionalText,

  /** Where adapters are kept as files. May be lost at any time. */
  ADAPTER_CACHE_DIR: z.string().min(1).default(path.join(tmpdir(), 'aril-adapters')),
  ADAPTER_CACHE_BYTES: integer(1).default(10 * GiB),
  /** What adapters and the KV cache share in the engine; absent = the engine's own default. */
  MEMORY_BYTES: integer(1).optional(),
  /** What each of them may take of it at most; absent = whatever the other leaves. */
  ADAPTER_BYTES: integer(1).optional(),
  KV_BYTES: integer(1).optional(),
  /** Answers of one tenant that are decoded together; the engine has an eighth more slots, see engine/slots.ts. */
  MAX_BATCH: integer(1, 1024).default(64),
  MAX_STEP_TOKENS: integer(1).optional(),
  /** Drafts fill a step up to so many tokens, 0: none; absent = the engine's own default. */
  DRAFT_TOKENS: integer(0).optional(),
  /** 0 = one per core. */
  ENGINE_THREADS: integer(0, 1024).default(0),
  /** `auto`: the first CUDA device, else the CPU. Without CUDA the CPU stands in for any, and the log says so. */
  ARIL_DEVICE: z.string().regex(DEVICE, 'expected auto, cpu or cuda:0, cuda:1 …').default('auto'),
  /** On CUDA too, outputs that do not depend on the batch, to the bit. */
  BATCH_INVARIANT: z.stringbool().default(false),
  /** CUDA: host memory for adapters that left the device; absent = the engine's own default. */
  ADAPTER_HOST_BYTES: integer(0).optional(),
  /** In which precision base weights, adapters, and keys and values are kept and multiplied; see the engine's options. */
  WEIGHT_TYPE: z.enum(['auto', ...WEIGHT_TYPES]).default('auto'),
  ADAPTER_TYPE: z.enum(['auto', ...ADAPTER_TYPES]).default('auto'),
  KV_TYPE: z.enum(['auto', ...KV_TYPES]).default('auto'),

  RUNNER_ID: z
    .string()
    .regex(/^[\w.:-]{1,128}$/, 'expected letters, digits, dots, colons or dashes')
    .default(() => `${hostname().replace(/[^\w.-]/g, '-')}-${process.pid}-${randomBytes(3).toString('hex')}`),
  HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 = no health server. */
  HEALTH_PORT: integer(0, 65535).default(0),
  /** For Prometheus, see docs/metrics.md. Who reaches it reads it: an address that the world does not reach. */
  METRICS_HOST: z.string().default('127.0.0.1'),
  /** 0 = no metrics server. */
  METRICS_PORT: integer(0, 65535).default(0),

  /** How long running generations may finish after SIGTERM before they are handed to another runner. */
  DRAIN_TIMEOUT_S: z.coerce.number().min(0).default(25),
  /**
   * A dead runner's jobs are taken over at most LOCK_DURATION_MS + 2 × STALL_INTERVAL_MS after its death. The lock is
   * renewed at half its duration by an event loop that never computes, so 10 s leaves room for a long pause of the
   * machine; the fence makes a takeover by mistake harmless, only wasteful.
   */
  LOCK_DURATION_MS: integer(500).default(10_000),
  STALL_INTERVAL_MS: integer(100).default(3_000),

  OBJECTS_DIR: optionalText,
  S3_ENDPOINT: optionalText,
  S3_REGION: optionalText,
  S3_BUCKET: optionalText,
  S3_ACCESS_KEY_ID: optionalText,
  S3_SECRET_ACCESS_KEY: optionalText,
  S3_FORCE_PATH_STYLE: z.stringbool().optional(),

  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_PRETTY: z.stringbool().default(false),
});

export type Config = z.infer<typeof configSchema>;

/** Throws one error that names every variable at fault. Values are not repeated: some are secrets. */
export function parseConfig(environment: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = configSchema.safeParse(given);
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (!given['OBJECTS_DIR'] && !given['S3_BUCKET']) {
    problems.push('OBJECTS_DIR or S3_BUCKET: found neither, expected one (the API must use the same)');
  }
  if (!parsed.success || problems.length > 0) throw new Error(`configuration of the runner:\n  ${problems.join('\n  ')}`);
  return parsed.data;
}
