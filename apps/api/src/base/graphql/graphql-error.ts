import { randomUUID } from 'node:crypto';
import { unwrapResolverError } from '@apollo/server/errors';
import { Logger } from '@nestjs/common';
import { ERROR_CODES, ArilError } from '@aril/contracts';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { ClsServiceManager } from 'nestjs-cls';
import { ZodError } from 'zod';
import { reportError } from '../errors/error-report.js';
import { logReport } from '../errors/log-report.js';

const logger = new Logger('GraphQL');

/** Apollo's own errors about the request itself (syntax, validation, variables) are the caller's to see. */
const APOLLO_CODES = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/**
 * `extensions.code` is the table's GraphQL code, `extensions.reason` the table's own, finer one. For errors of
 * queries, mutations and subscriptions alike.
 */
export function formatGraphqlError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  const original = error instanceof GraphQLError && error.originalError instanceof ArilError ? error.originalError : unwrapResolverError(error);
  if (isRequestError(formatted, original)) {
    const { message, locations, path } = formatted;
    return { message, locations, path, extensions: { code: formatted.extensions?.code } };
  }
  const requestId = ClsServiceManager.getClsService().getId() ?? randomUUID();
  const report = reportError(original, requestId);
  logReport(logger, report, requestId);
  const kind = ERROR_CODES[report.code];
  const { code: reason, field, retryAfterMs } = report;
  const wait = retryAfterMs === null ? {} : { retryAfterMs };
  const extensions = { code: kind.graphql, reason, field, retryable: kind.retryable, ...wait, requestId };
  return { message: report.message, locations: formatted.locations, path: formatted.path, extensions };
}

/** A GraphQLError without an original error that is ours is one that graphql-js or Apollo made. */
function isRequestError(formatted: GraphQLFormattedError, original: unknown): boolean {
  if (original instanceof ArilError || original instanceof ZodError) return false;
  return original instanceof GraphQLError && APOLLO_CODES.has(String(formatted.extensions?.code));
}
