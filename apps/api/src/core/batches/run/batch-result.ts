/** Lines of output and error files, as OpenAI writes them. */
import { ERROR_CODES } from '@aril/contracts';
import { openAiError, type ErrorReport } from '../../../base/errors/error-report.js';

export interface LineResult {
  /** JSON, without a newline. */
  result: string;
  failed: boolean;
}

/** Of a batch's line; `customId` null: it has none that could be read. */
export interface LineName {
  batchId: string;
  position: number;
  customId: string | null;
}

/** Why a line was never answered. */
export type NotRun = 'batch_expired' | 'batch_cancelled';

const NOT_RUN: Record<NotRun, string> = {
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'The batch was cancelled before this request was executed.',
};

export const requestIdOf = ({ batchId, position }: LineName): string => `batch_req_${batchId}_${position}`;

export const answered = (name: LineName, body: object): LineResult => ({ result: lineOf(name, 200, body), failed: false });

export const refused = (name: LineName, report: ErrorReport): LineResult => ({
  result: lineOf(name, ERROR_CODES[report.code].http, openAiError(report)),
  failed: true,
});

export const notRun = (name: LineName, code: NotRun): LineResult => ({
  result: JSON.stringify({ id: requestIdOf(name), custom_id: name.customId, response: null, error: { code, message: NOT_RUN[code] } }),
  failed: true,
});

function lineOf(name: LineName, status: number, body: object): string {
  const id = requestIdOf(name);
  return JSON.stringify({ id, custom_id: name.customId, response: { status_code: status, request_id: id, body }, error: null });
}
