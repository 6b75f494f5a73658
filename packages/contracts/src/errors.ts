/**
 * The one table of error codes. A code is stable: clients may switch on it.
 * `graphql` is the value of `errors[].extensions.code`, `http` the status of the REST endpoints,
 * `openai` the `error.type` of the OpenAI-compatible ones, `retryable` whether the same call can succeed later.
 */
interface ErrorKind {
  graphql: string;
  http: number;
  openai: string;
  retryable: boolean;
}

const kind = (graphql: string, http: number, openai: string, retryable = false): ErrorKind => ({
  graphql,
  http,
  openai,
  retryable,
});

export const ERROR_CODES = {
  // The caller's fault.
  BAD_INPUT: kind('BAD_USER_INPUT', 400, 'invalid_request_error'),
  CONTEXT_TOO_LONG: kind('BAD_USER_INPUT', 400, 'invalid_request_error'),
  CONSTRAINT_INVALID: kind('BAD_USER_INPUT', 400, 'invalid_request_error'),
  UNAUTHENTICATED: kind('UNAUTHENTICATED', 401, 'authentication_error'),
  FORBIDDEN: kind('FORBIDDEN', 403, 'permission_error'),
  NO_TENANT: kind('FORBIDDEN', 403, 'permission_error'),
  NOT_FOUND: kind('NOT_FOUND', 404, 'not_found_error'),
  MODEL_NOT_FOUND: kind('NOT_FOUND', 404, 'invalid_request_error'),
  CONFLICT: kind('CONFLICT', 409, 'invalid_request_error'),
  IDEMPOTENCY_MISMATCH: kind('CONFLICT', 409, 'invalid_request_error'),
  PAYLOAD_TOO_LARGE: kind('BAD_USER_INPUT', 413, 'invalid_request_error'),
  ADAPTER_REFUSED: kind('ADAPTER_REFUSED', 422, 'invalid_request_error'),
  ADAPTER_NOT_READY: kind('ADAPTER_NOT_READY', 409, 'invalid_request_error'),
  QUOTA_EXCEEDED: kind('QUOTA_EXCEEDED', 429, 'insufficient_quota'),
  BUDGET_EXCEEDED: kind('BUDGET_EXCEEDED', 429, 'insufficient_quota'),
  RATE_LIMITED: kind('RATE_LIMITED', 429, 'rate_limit_error', true),
  // How a generation can fail.
  ADAPTER_LOAD_FAILED: kind('GENERATION_FAILED', 500, 'server_error'),
  CONSTRAINT_DEAD_END: kind('GENERATION_FAILED', 422, 'invalid_request_error'),
  NUMERIC_ERROR: kind('GENERATION_FAILED', 500, 'server_error'),
  OUT_OF_MEMORY: kind('OVERLOADED', 503, 'server_error', true),
  ENGINE_CLOSED: kind('OVERLOADED', 503, 'server_error', true),
  RUNNER_LOST: kind('OVERLOADED', 503, 'server_error', true),
  TIMED_OUT: kind('TIMED_OUT', 504, 'server_error', true),
  OVERLOADED: kind('OVERLOADED', 503, 'server_error', true),
  INTERNAL: kind('INTERNAL_SERVER_ERROR', 500, 'server_error'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);

export interface ArilErrorOptions extends ErrorOptions {
  /** After this time the same call is likely to succeed. Only where it is known: the code says whether waiting helps at all. */
  retryAfterMs?: number;
}

/** An error whose code and message may be shown to the caller. `field` names the input at fault, if one is. */
export class ArilError extends Error {
  readonly retryAfterMs: number | null;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly field?: string,
    options?: ArilErrorOptions,
  ) {
    super(message, options);
    this.name = 'ArilError';
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }
}
