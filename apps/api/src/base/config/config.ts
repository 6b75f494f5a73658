/**
 * Every variable the API reads, checked once in `main` and injected typed. The only file that sees `process.env`.
 */
import { resolve } from 'node:path';
import { objectStoreConfig, type ObjectStoreConfig } from '@aril/object-store';
import { z } from 'zod';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** `true`/`1`/`yes` and their opposites; an empty variable counts as absent. */
const flag = z.stringbool();
const port = z.coerce.number().int().min(0).max(65_535);
const bytes = z.coerce.number().int().positive();
const origin = z.url({ protocol: /^https?$/ }).transform((text) => new URL(text).origin);
const origins = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()).filter(Boolean))
  .pipe(z.array(origin).min(1));

/** Dollars, as nano-dollars. */
const usd = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,9})?$/, 'expected dollars, as 12 or 12.50')
  .transform((text) => {
    const [whole = '', fraction = ''] = text.split('.');
    return BigInt(whole + fraction.padEnd(9, '0'));
  });
/** As many as Postgres's integers and GraphQL's `Int` hold. */
const amount = z.coerce.number().int().positive().max(2_147_483_647);

/** Pauses in seconds, separated by commas. */
const pauses = z
  .string()
  .transform((text) => text.split(',').map((part) => Number(part.trim() || Number.NaN)))
  .pipe(z.array(z.number('expected seconds, separated by commas, as 2,10,30').min(0).max(86_400)));
/** Without a slash at its end. */
const hubUrl = z.union([z.literal(''), z.url({ protocol: /^https?$/ })], 'expected a URL, or nothing for none').transform((text) => text.replace(/\/+$/, '') || null);

/** "true", a number of hops, or addresses and names of ranges separated by commas. */
const trustProxy = z.string().transform((text) => {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
});

const schema = z.object({
  /** Address to listen on. */
  API_HOST: z.string().default('127.0.0.1'),
  /** Port to listen on; 0 picks a free one. */
  API_PORT: port.default(4000),
  /** For Prometheus, see docs/metrics.md. Who reaches it reads it: an address that the world does not reach. */
  METRICS_HOST: z.string().default('127.0.0.1'),
  /** 0 = no metrics server. */
  METRICS_PORT: port.default(0),
  /** The API's public URL, as clients write it. */
  API_URL: origin.optional(),
  /** Origins, comma-separated, that may use the API with a browser's cookies: where the portal is. */
  PORTAL_URL: origins.default(['http://127.0.0.1:3000', 'http://localhost:3000']),
  /** Postgres, as the role `aril_app`: it owns nothing and row-level security holds for it. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  /** Connections kept to Postgres by this process for tenant data; Better Auth has a fifth as many of its own. */
  DATABASE_CONNECTIONS: z.coerce.number().int().min(5).default(20),
  /** How long a statement or a transaction may take; on a connection that is silent for longer nobody answers any more. */
  DATABASE_TIMEOUT_S: z.coerce.number().int().min(1).default(20),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  /** Signs sessions. Changing it ends all of them. */
  AUTH_SECRET: z.string().min(32),
  /** Peppers API keys: AUTH_SECRET where it is unset. Changing it voids every key, so it is what AUTH_SECRET was when that is changed. */
  API_KEY_SECRET: z.string().min(32).optional(),
  /** Sign-ins, sign-ups and invitations accepted per minute and client address. */
  AUTH_ATTEMPTS_MAX: z.coerce.number().int().positive().default(20),
  /** A mail server for invitations. Without one their links are handed on by whoever invites. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  /** Who mail is from: an address, or "Name <address>". Needed with SMTP_URL. */
  MAIL_FROM: z.string().optional(),
  /** Which proxies' X-Forwarded-* headers to believe, in Express's `trust proxy` syntax. */
  TRUST_PROXY: trustProxy.default('loopback'),
  OBJECTS_DIR: z.string().optional(),
  S3_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().optional(),
  S3_BUCKET: z.string().optional(),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),
  /** Unfinished uploads. Several copies of the API must share this folder. */
  UPLOADS_DIR: z.string(),
  /** Path of models/catalog.json. */
  MODEL_CATALOG: z.string(),
  /** Bodies of requests that this process holds at once, of more than 64 KiB each; more are refused as OVERLOADED. */
  REQUEST_BODIES_BYTES_MAX: bytes.min(8 * MIB).default(128 * MIB),
  /** How long a generation may take from its admission to its end. */
  GENERATION_TIMEOUT_S: z.coerce.number().positive().default(600),
  /** How long answers that are under way may go on after SIGTERM. Streams that go on longer are told to come back. */
  DRAIN_TIMEOUT_S: z.coerce.number().min(0).default(25),
  /** Answers of one tenant that may wait or run at once, and that it may follow at once here; more are refused as RATE_LIMITED. */
  TENANT_WAITING_MAX: z.coerce.number().int().positive().default(2_000),
  /** Limits of a tenant that has set none of its own; unset: none. */
  TENANT_REQUESTS_PER_MINUTE: amount.optional(),
  TENANT_TOKENS_PER_MINUTE: amount.optional(),
  TENANT_PARALLEL_REQUESTS: amount.optional(),
  /** Hard budget of a UTC calendar month, in dollars. */
  TENANT_BUDGET_USD: usd.optional(),
  /** What no tenant can raise its limits above, however it sets them; unset: nothing. */
  TENANT_REQUESTS_PER_MINUTE_MAX: amount.optional(),
  TENANT_TOKENS_PER_MINUTE_MAX: amount.optional(),
  TENANT_PARALLEL_REQUESTS_MAX: amount.optional(),
  TENANT_BUDGET_USD_MAX: usd.optional(),
  /** Largest adapter, both files together. */
  ADAPTER_BYTES_MAX: bytes.default(512 * MIB),
  /** Adapters of one tenant together. */
  TENANT_STORAGE_BYTES_MAX: bytes.default(10 * GIB),
  /** Largest file of requests for a batch, of at most 50,000 lines. */
  BATCH_FILE_BYTES_MAX: bytes.default(100 * MIB),
  /** How long files of batches are kept that do not say it themselves. */
  BATCH_FILE_EXPIRY_S: z.coerce.number().int().min(3_600).default(30 * 24 * 60 * 60),
  /** Requests of one tenant's batches that may wait or run at once. */
  BATCH_PARALLEL_REQUESTS: z.coerce.number().int().positive().default(64),
  /** Files of batches of one tenant together. */
  TENANT_BATCH_BYTES_MAX: bytes.default(10 * GIB),
  /** An upload nobody has continued for this long is removed. */
  UPLOAD_EXPIRY_S: z.coerce.number().positive().default(24 * 60 * 60),
  /** The Hugging Face hub, or a mirror of it, that adapters can be imported from. Empty: imports are switched off. */
  HUB_URL: hubUrl.default('https://huggingface.co'),
  /** How long an import waits before it asks a hub again that is away, each time that nothing came; then it fails. */
  HUB_RETRY_S: pauses.default([2, 10, 30, 120]),
  /** How long a finished generation's text stays readable by its id. */
  TEXT_RETENTION_S: z.coerce.number().positive().default(24 * 60 * 60),
  /** After the end of a month, how long late settlements still count in it; then its statements are issued. */
  STATEMENT_GRACE_S: z.coerce.number().min(0).default(24 * 60 * 60),
  /** Whom statements come from, name and address; `\n` begins a new line. */
  STATEMENT_ISSUER: z.string().default('Aril').transform((text) => text.replaceAll('\\n', '\n')),
  /** Days after which events of the audit log are removed; unset: never. The database refuses to remove younger ones than 30 days. */
  AUDIT_RETENTION_DAYS: z.coerce.number().int().min(30).optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Colours and one line per entry, for people; JSON otherwise. */
  LOG_PRETTY: flag.default(false),
});

type Variables = z.infer<typeof schema>;

/** What the rest of the API gets: the variables, plus what follows from them. */
export interface Config extends Variables {
  API_URL: string;
  objectStore: ObjectStoreConfig;
}

/** Injection token. */
export const CONFIG = Symbol('CONFIG');

export class ConfigError extends Error {
  constructor(issues: z.core.$ZodIssue[]) {
    super(['The configuration is wrong:', ...issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`)].join('\n'));
    this.name = 'ConfigError';
  }
}

/** Of these an empty value means something. */
const MAY_BE_EMPTY = ['HUB_URL'];

/** @throws ConfigError naming every variable at fault. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([name, value]) => value !== '' || MAY_BE_EMPTY.includes(name)));
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new ConfigError(parsed.error.issues);
  const variables = parsed.data;
  const objectStore = objectStoreConfig(variables);
  if (!objectStore.s3 && !objectStore.folder) {
    throw new ConfigError([
      { code: 'custom', path: ['OBJECTS_DIR'], message: 'found neither OBJECTS_DIR nor S3_BUCKET, expected one of them', input: undefined },
    ]);
  }
  if (variables.SMTP_URL && !variables.MAIL_FROM) {
    throw new ConfigError([{ code: 'custom', path: ['MAIL_FROM'], message: 'found SMTP_URL without it, expected an address', input: undefined }]);
  }
  return {
    ...variables,
    API_URL: variables.API_URL ?? `http://${variables.API_HOST}:${variables.API_PORT}`,
    UPLOADS_DIR: resolve(variables.UPLOADS_DIR),
    MODEL_CATALOG: resolve(variables.MODEL_CATALOG),
    objectStore,
  };
}
