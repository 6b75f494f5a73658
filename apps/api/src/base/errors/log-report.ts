import type { Logger } from '@nestjs/common';
import type { ErrorReport } from './error-report.js';

/** What the caller is not told goes to the log, under the request id that the caller was given. */
export function logReport(logger: Logger, { code, cause }: ErrorReport, requestId: string): void {
  if (code === 'INTERNAL') logger.error({ err: cause, requestId }, 'unexpected error');
  else if (code === 'OVERLOADED' && cause) logger.warn({ err: cause, requestId }, 'something the API stands on is away or full');
}
