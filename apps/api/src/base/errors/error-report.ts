/**
 * What a caller is told of an error: a code of the one table and a message, nothing else. Everything that is not an
 * `ArilError`, one of Nest's own HTTP errors or an outage is INTERNAL, with a message that says no more than where to ask.
 */
import { HttpException } from '@nestjs/common';
import { ArilError, ERROR_CODES, type ErrorCode } from '@aril/contracts';
import { isDiskFull } from '@aril/object-store';
import { ZodError } from 'zod';
import { isUnreachable } from './unreachable.js';

export interface ErrorReport {
  code: ErrorCode;
  message: string;
  /** The input at fault, as a path: `files.0.bytes`. */
  field: string | null;
  /** How long to wait before the same call; null: not known. */
  retryAfterMs: number | null;
  /** What the log should say; see `logReport`. */
  cause: unknown;
}

const BY_STATUS: Partial<Record<number, ErrorCode>> = {
  400: 'BAD_INPUT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  429: 'RATE_LIMITED',
};

/** V8 quotes the text around a syntax error, which may be a prompt that then ends in someone's log. */
const JSON_SYNTAX = /in JSON at position|is not valid JSON|JSON input/;

export function reportError(error: unknown, requestId: string): ErrorReport {
  if (error instanceof ArilError) return fromArilError(error, requestId);
  // Of a check that body-parser calls; Nest wraps what its middlewares throw.
  if (error instanceof HttpException && error.cause instanceof ArilError) return fromArilError(error.cause, requestId);
  if (error instanceof ZodError) return fromZodError(error);
  const status = statusOf(error);
  if (status !== null && status < 500) {
    return { code: BY_STATUS[status] ?? 'BAD_INPUT', message: messageOf(error as Error), field: null, retryAfterMs: null, cause: null };
  }
  if (isUnreachable(error)) return overloaded(error, 'A service that the API needs cannot be reached at the moment. Try again later.');
  if (isDiskFull(error)) return overloaded(error, 'The API has no space left to store that at the moment. Try again later.');
  return internal(error, requestId);
}

function messageOf(error: Error): string {
  if (JSON_SYNTAX.test(error.message)) return 'The body is not valid JSON.';
  // body-parser's, which Nest wraps; of a body that comes in chunks nobody knows the length.
  const { limit, length } = (error.cause ?? error) as { limit?: unknown; length?: unknown };
  if (typeof limit !== 'number') return error.message;
  return `The body is too large: found ${typeof length === 'number' ? `${length} bytes` : 'more'}, expected at most ${limit} bytes.`;
}

function fromArilError(error: ArilError, requestId: string): ErrorReport {
  if (error.code === 'INTERNAL') return internal(error, requestId);
  const { code, message, field = null, retryAfterMs, cause = null } = error;
  return { code, message, field, retryAfterMs, cause };
}

/** The first problem is enough to act on; its path names the field. */
export function fromZodError(error: ZodError): ErrorReport {
  const issue = error.issues[0];
  const field = issue?.path.join('.') || null;
  const message = issue ? `${field ? `${field}: ` : ''}${issue.message}` : 'the input is not valid';
  return { code: 'BAD_INPUT', message, field, retryAfterMs: null, cause: null };
}

function internal(error: unknown, requestId: string): ErrorReport {
  const message = `Something went wrong on our side. Please quote request ${requestId} if you report it.`;
  return { code: 'INTERNAL', message, field: null, retryAfterMs: null, cause: error };
}

function overloaded(error: unknown, message: string): ErrorReport {
  return { code: 'OVERLOADED', message, field: null, retryAfterMs: null, cause: error };
}

/** Nest's HTTP errors, and those of Express's middlewares (body-parser's `status` and `expose`). */
function statusOf(error: unknown): number | null {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'expose' in error && error.expose === true && 'status' in error) {
    return typeof error.status === 'number' ? error.status : null;
  }
  return null;
}

/** The body of a failed REST call outside of `/v1`. */
export function restError(report: ErrorReport, requestId: string): object {
  const { code, message, field } = report;
  return { error: { code, message, field, retryable: ERROR_CODES[code].retryable, requestId } };
}

/** Where OpenAI has a code of its own, on which its clients switch. */
const OPENAI_CODES: Partial<Record<ErrorCode, string>> = {
  CONTEXT_TOO_LONG: 'context_length_exceeded',
  RATE_LIMITED: 'rate_limit_exceeded',
  BUDGET_EXCEEDED: 'insufficient_quota',
  QUOTA_EXCEEDED: 'insufficient_quota',
};

/** The body of a failed call in OpenAI's format. `code` is null-able there; ours is always OpenAI's or one of the table. */
export function openAiError(report: ErrorReport): object {
  const { code, message, field } = report;
  return { error: { message, type: ERROR_CODES[code].openai, param: field, code: OPENAI_CODES[code] ?? code.toLowerCase() } };
}

/** Anthropic's types by status; of any other the fault is the caller's. */
const ANTHROPIC_TYPES: Partial<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** The body of a failed call in Anthropic's format. Of a full context its clients look for the sentence's beginning. */
export function anthropicError({ code, message }: ErrorReport): object {
  const told = code === 'CONTEXT_TOO_LONG' ? `prompt is too long: ${message}` : message;
  return { type: 'error', error: { type: ANTHROPIC_TYPES[ERROR_CODES[code].http] ?? 'invalid_request_error', message: told } };
}
