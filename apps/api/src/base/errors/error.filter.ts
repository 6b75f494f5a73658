import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { GqlContextType } from '@nestjs/graphql';
import { ERROR_CODES } from '@aril/contracts';
import type { Request, Response } from 'express';
import { ANTHROPIC_PATH, OPENAI_PATH } from '../http/paths.js';
import { anthropicError, openAiError, reportError, restError, type ErrorReport } from './error-report.js';
import { logReport } from './log-report.js';

/** The one place where errors of REST calls become answers. GraphQL's are formatted by `formatGraphqlError`. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Error');

  catch(error: unknown, host: ArgumentsHost): void {
    // A resolver's error goes on to Apollo, which calls our formatter.
    if (host.getType<GqlContextType>() === 'graphql') throw error;
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<Request>(), http.getResponse<Response>());
  }

  answer(error: unknown, request: Request, response: Response): void {
    const requestId = String(request.id);
    const report = reportError(error, requestId);
    logReport(this.logger, report, requestId);
    // A stream that has begun can only be cut: its reader sees that the end is missing.
    if (response.headersSent) return void response.destroy();
    if (report.code === 'UNAUTHENTICATED') response.setHeader('WWW-Authenticate', 'Bearer');
    tellWhetherToRetry(report, response);
    response.status(ERROR_CODES[report.code].http).json(bodyFor(request.path, report, requestId));
  }
}

function bodyFor(path: string, report: ErrorReport, requestId: string): object {
  if (ANTHROPIC_PATH.test(path)) return anthropicError(report);
  return OPENAI_PATH.test(path) ? openAiError(report) : restError(report, requestId);
}

/** Seconds, by status: restarts and failovers take some; so does the next free place. */
const RETRY_AFTER_S: Partial<Record<number, number>> = { 429: 10, 503: 5 };

/**
 * An exhausted quota is a 429 too, but waiting does not help there, and OpenAI's clients, who retry every 429, are told so
 * in a header of theirs. They also take milliseconds. Whoever knows better has set the header already.
 */
function tellWhetherToRetry({ code, retryAfterMs }: ErrorReport, response: Response): void {
  const { http, retryable } = ERROR_CODES[code];
  if (http === 429 && !retryable) response.setHeader('X-Should-Retry', 'false');
  const seconds = retryAfterMs === null ? RETRY_AFTER_S[http] : Math.ceil(retryAfterMs / 1_000);
  if (!seconds || !retryable || response.hasHeader('Retry-After')) return;
  response.setHeader('Retry-After', seconds);
  if (retryAfterMs !== null) response.setHeader('Retry-After-Ms', retryAfterMs);
}
