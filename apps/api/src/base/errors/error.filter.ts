import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { GqlContextType } from '@nestjs/graphql';
import { ERROR_CODES } from '@aril/contracts';
import type { Request, Response } from 'express';
import { openAiError, reportError, restError } from './error-report.js';

/** Paths that speak OpenAI's format, errors of unknown routes and unreadable bodies included. */
const OPENAI_PATH = /^\/v1(\/|$)/;

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
    if (report.code === 'INTERNAL') this.logger.error({ err: report.cause, requestId }, 'unexpected error');
    // A stream that has begun can only be cut: its reader sees that the end is missing.
    if (response.headersSent) return void response.destroy();
    if (report.code === 'UNAUTHENTICATED') response.setHeader('WWW-Authenticate', 'Bearer');
    const body = OPENAI_PATH.test(request.path) ? openAiError(report) : restError(report, requestId);
    response.status(ERROR_CODES[report.code].http).json(body);
  }
}
