import { describe, expect, it } from 'vitest';
import { ArilError, ERROR_CODES, isErrorCode, type ErrorCode } from '../src/index.js';

const kinds = Object.entries(ERROR_CODES) as [ErrorCode, (typeof ERROR_CODES)[ErrorCode]][];

describe('the error table', () => {
  it.each(kinds)('%s has a status that fits what it says', (code, kind) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(kind.http).toBeGreaterThanOrEqual(400);
    expect(kind.http).toBeLessThan(600);
    // The OpenAI clients retry on 5xx and 429 by themselves; `server_error` must not be said of a caller's fault.
    expect(kind.openai === 'server_error').toBe(kind.http >= 500);
  });

  it('lets nothing be retried that fails the same way again', () => {
    const retryable = kinds.filter(([, kind]) => kind.retryable);
    expect(retryable.every(([, kind]) => kind.http === 429 || kind.http >= 503)).toBe(true);
  });

  it('gives one HTTP status to each GraphQL code that a client may branch on by status', () => {
    for (const graphql of ['UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'CONFLICT', 'OVERLOADED', 'TIMED_OUT']) {
      const statuses = new Set(kinds.filter(([, kind]) => kind.graphql === graphql).map(([, kind]) => kind.http));
      expect([graphql, statuses.size]).toEqual([graphql, 1]);
    }
  });

  it('knows its own codes and no inherited names', () => {
    expect(kinds.every(([code]) => isErrorCode(code))).toBe(true);
    for (const other of ['toString', '__proto__', 'constructor', 'bad_input', '', null, undefined, 400]) expect(isErrorCode(other)).toBe(false);
  });

  it('makes errors that carry code, field and cause', () => {
    const cause = new Error('inner');
    const error = new ArilError('BAD_INPUT', 'topP: found 2, expected at most 1', 'topP', { cause });
    expect(error).toMatchObject({ name: 'ArilError', code: 'BAD_INPUT', field: 'topP', cause, retryAfterMs: null });
    expect(new ArilError('RATE_LIMITED', 'later', undefined, { retryAfterMs: 250 }).retryAfterMs).toBe(250);
  });
});
