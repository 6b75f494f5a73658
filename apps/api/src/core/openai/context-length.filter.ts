/** Answers for a context that is too short: the one error whose code is OpenAI's and not the table's. */
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { ERROR_CODES } from '@aril/contracts';
import type { Request, Response } from 'express';
import { reportError } from '../../base/errors/error-report.js';
import { ContextLengthExceeded, failureBody } from './openai-failure.js';

@Catch(ContextLengthExceeded)
export class ContextLengthFilter implements ExceptionFilter<ContextLengthExceeded> {
  catch(error: ContextLengthExceeded, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    // A stream that has begun can only be cut, as the global filter does.
    if (response.headersSent) return void response.destroy();
    const report = reportError(error, String(http.getRequest<Request>().id));
    response.status(ERROR_CODES[error.code].http).json(failureBody(report));
  }
}
