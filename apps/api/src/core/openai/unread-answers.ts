/**
 * What becomes of generations whose answer nobody reads, because the caller has left or was told an error instead. One
 * with an idempotency key goes on: its caller is going to ask again, and must then find the whole answer.
 */
import { Injectable, Logger } from '@nestjs/common';
import { reportError } from '../../base/errors/error-report.js';
import type { GenerationRow } from '../../models/generation.model.js';
import { AttendanceService } from '../generations/attendance.service.js';
import { GenerationService, type AdmittedGeneration } from '../generations/generation.service.js';
import { ReaderGone } from '../generations/reader-watch.js';
import type { Exchange } from './exchange.js';

type Rows = readonly GenerationRow[];

@Injectable()
export class UnreadAnswers {
  private readonly logger = new Logger(UnreadAnswers.name);

  constructor(
    private readonly generations: GenerationService,
    private readonly attendance: AttendanceService,
  ) {}

  /** As long as the connection is there. */
  attend(rows: Rows, { response }: Exchange): void {
    if (response.destroyed) return;
    const attended = notAskedForAgain(rows);
    for (const row of attended) this.attendance.begin(row);
    response.once('close', () => attended.forEach((row) => this.attendance.end(row)));
  }

  abandonOnDisconnect(rows: Rows, exchange: Exchange): void {
    const { response } = exchange;
    const abandon = (): void => {
      if (!response.writableFinished) this.abandon(rows, exchange);
    };
    // The connection can have gone while the generations were admitted.
    if (response.destroyed) abandon();
    else response.once('close', abandon);
  }

  /** The rest is not generated; what was, is charged. Those that have ended stay as they are. */
  abandon(rows: Rows, { caller }: Exchange): void {
    this.endAll(rows, ({ id }) => this.generations.cancel(caller, id));
  }

  /**
   * The answer is an error and nothing else, so nothing of it is charged. Clients ask again by themselves. Not for a reader
   * who may not read any more, whose generations have been stopped: what came of them was told, or is nobody's mistake.
   */
  disown(rows: Rows, error: unknown, { request }: Exchange): void {
    if (error instanceof ReaderGone) return;
    const { code, message } = reportError(error, String(request.id));
    this.endAll(rows, (row) => this.generations.disown(row, { code, message }));
  }

  /** Of a request that is refused after all. What cannot be taken back now is ended by housekeeping, as it has no job. */
  async takeBack(admitted: readonly AdmittedGeneration[]): Promise<void> {
    for (const each of admitted) {
      try {
        await this.generations.takeBack(each);
      } catch (error) {
        this.logger.warn({ generationId: each.row.id, err: error }, 'what was refused could not be taken back');
      }
    }
  }

  private endAll(rows: Rows, end: (row: GenerationRow) => Promise<unknown>): void {
    for (const row of notAskedForAgain(rows)) {
      end(row).catch((error: unknown) => {
        this.logger.error({ generationId: row.id, err: error }, 'ending what nobody will read failed');
      });
    }
  }
}

const notAskedForAgain = (rows: Rows): GenerationRow[] => rows.filter(({ idempotencyKey }) => idempotencyKey === null);
