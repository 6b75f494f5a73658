/**
 * Runs one line: from its text to its line of the output or the error file. Everything that it has begun is known by keys
 * that follow from the batch and the line, so that it can be run again, by another process and at any moment, and goes on
 * from what there is.
 */
import { Injectable, Logger } from '@nestjs/common';
import { ArilError, ERROR_CODES, isErrorCode } from '@aril/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, CallerResolver } from '../../../base/auth/caller.js';
import { reportError, type ErrorReport } from '../../../base/errors/error-report.js';
import { logReport } from '../../../base/errors/log-report.js';
import { isOpen, type GenerationRow } from '../../../models/generation.model.js';
import type { BatchRow } from '../../../models/batch.model.js';
import type { Outcome } from '../../generations/events/collect.js';
import { GenerationFollower } from '../../generations/generation-follower.js';
import type { FieldNames, GenerationRequest } from '../../generations/generation-request.js';
import { type AdmittedGeneration, GenerationService } from '../../generations/generation.service.js';
import { PromptService } from '../../openai/prompt.service.js';
import { mayUseBatches } from '../batch.policy.js';
import { BackgroundWork } from './background-work.js';
import { type BatchRequest, customIdOf, readRequest } from './batch-request.js';
import { answered, type LineName, type LineResult, notRun, type NotRun, refused, requestIdOf } from './batch-result.js';
import type { InputLine } from './input-lines.js';

/** How often a prompt is generated anew that failed for a passing reason; none of these is charged. */
const ATTEMPTS_MAX = 5;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;

export interface LineRun {
  batch: BatchRow;
  line: InputLine;
  /** The process shuts down: what is begun is left to another one. */
  stop: AbortSignal;
  /** The batch is cancelled or expires (its reason): nothing is begun any more, and what is begun ends. */
  ending: AbortSignal;
}

/** What the line has been told in the end, which no further attempt changes. */
class Refusal extends Error {
  constructor(override readonly cause: unknown) {
    super('refused');
  }
}
class NotBegun extends Error {}

@Injectable()
export class LineRunner {
  private readonly logger = new Logger(LineRunner.name);

  constructor(
    private readonly callers: CallerResolver,
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
    private readonly prompts: PromptService,
    private readonly work: BackgroundWork,
  ) {}

  /** @throws the reason of `stop` */
  async run(run: LineRun): Promise<LineResult> {
    const { batch, line, stop, ending } = run;
    const name: LineName = { batchId: batch.id, position: line.position, customId: customIdOf(line) };
    let unforeseen = 0;
    for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      try {
        return await this.answer(run, name);
      } catch (error) {
        stop.throwIfAborted();
        if (error instanceof NotBegun) return notRun(name, ending.reason as NotRun);
        const report = reportError(error instanceof Refusal ? error.cause : error, requestIdOf(name));
        const passes = ERROR_CODES[report.code].retryable || (report.code === 'INTERNAL' && ++unforeseen < ATTEMPTS_MAX);
        if (error instanceof Refusal || !passes) return this.refused(name, report);
        await pause(report.retryAfterMs ?? pauseMs, run);
      }
    }
  }

  private refused(name: LineName, report: ErrorReport): LineResult {
    logReport(this.logger, report, requestIdOf(name));
    return refused(name, report);
  }

  private async answer(run: LineRun, name: LineName): Promise<LineResult> {
    const request = readRequest(run.line, run.batch.endpoint);
    const admitted = await this.work.run(() => this.admit(run, request));
    const rows = admitted.map(({ row }) => row);
    const outcomes = await this.outcomes(run, rows, admitted);
    if (outcomes.every(wasNotRun)) return notRun(name, (run.ending.reason as NotRun | undefined) ?? 'batch_cancelled');
    const failed = outcomes.findIndex(({ error }) => error !== null);
    const [row, error, first] = [rows[failed], outcomes[failed]?.error, rows[0]];
    if (row && error) {
      const failure = this.prompts.failure(row, error, request, failed);
      throw isLastAttempt(row) || !ERROR_CODES[failure.code].retryable ? new Refusal(failure) : failure;
    }
    if (!first) throw new Error('a line was read into no generation');
    await this.prompts.requireEvents(request, rows);
    return answered(name, request.endpoint.whole(this.prompts.admittedOf(request, first), outcomes));
  }

  private async admit(run: LineRun, request: BatchRequest): Promise<AdmittedGeneration[]> {
    const key = `batch_${run.batch.id}/${run.line.position}`;
    const admitted = await this.prompts.admitAll(request, key, (generation, names) => this.latest(run, generation, names));
    if (!run.ending.aborted) return admitted;
    // It ended meanwhile. Nothing of what is new is there for another process to find.
    for (const each of admitted) await this.generations.takeBack(each);
    if (admitted.some(({ isNew }) => isNew)) throw new NotBegun();
    return admitted;
  }

  /** The attempt that counts: the first that has not failed for a passing reason, and if there is none, a new one. */
  private async latest(run: LineRun, generation: GenerationRequest, names: FieldNames): Promise<AdmittedGeneration> {
    const { batch, ending } = run;
    for (let attempt = 1; ; attempt++) {
      const request = { ...generation, idempotencyKey: `${generation.idempotencyKey ?? ''}~${attempt}`, deadlineAt: batch.expiresAt };
      const earlier = await this.generations.findByKey(batch.tenantId, request.idempotencyKey);
      if (earlier && mayFailPassingly(earlier) && attempt < ATTEMPTS_MAX) continue;
      if (!earlier && ending.aborted) throw new NotBegun();
      return this.generations.admit(earlier ? askerOf(batch) : await this.askerNow(batch), request, names);
    }
  }

  /** Who has begun the batch, with what he may now. */
  private async askerNow(batch: BatchRow): Promise<Caller> {
    const caller = await this.callers.revive(batch);
    if (!caller) throw new ArilError('UNAUTHENTICATED', 'Who has begun the batch may not ask any more: the API key was revoked or has expired, or the person has left the workspace.');
    mayUseBatches(caller);
    return caller;
  }

  private async outcomes(run: LineRun, rows: readonly GenerationRow[], admitted: readonly AdmittedGeneration[]): Promise<Outcome[]> {
    const end = (): void => void this.endAll(rows);
    try {
      for (const each of admitted) await this.generations.run(each);
      run.ending.addEventListener('abort', end, { once: true });
      if (run.ending.aborted) await this.endAll(rows);
      const caller = askerOf(run.batch);
      return await Promise.all(rows.map((row) => this.follower.outcome(caller, row, false)));
    } finally {
      run.ending.removeEventListener('abort', end);
    }
  }

  /** What waits is not run, what runs ends with what it has; housekeeping does it at the deadline where this fails. */
  private async endAll(rows: readonly GenerationRow[]): Promise<void> {
    for (const row of rows) if (isOpen(row)) await this.generations.abandon(row).catch(() => undefined);
  }
}

/** For what was let in: whoever begun it has the answer, also where he could not ask for it any more. */
const askerOf = ({ tenantId, userId, apiKeyId }: BatchRow): Caller => ({ tenantId, userId, apiKeyId, grant: null, role: 'MEMBER' });

const isLastAttempt = ({ idempotencyKey }: GenerationRow): boolean => idempotencyKey?.endsWith(`~${ATTEMPTS_MAX}`) ?? true;

const mayFailPassingly = ({ status, errorCode }: GenerationRow): boolean =>
  status === 'FAILED' && isErrorCode(errorCode) && ERROR_CODES[errorCode].retryable;

/** Stopped before its first token, which costs nothing. */
const wasNotRun = ({ finishReason, completionTokens }: Outcome): boolean => finishReason === 'cancelled' && completionTokens === 0;

/** Unless the batch ends, and then not long: what is begun is to be found once more. */
async function pause(ms: number, { stop, ending }: LineRun): Promise<void> {
  const signal = ending.aborted ? stop : AbortSignal.any([stop, ending]);
  await sleep(ending.aborted ? PAUSE_MS_MIN : ms, undefined, { signal }).catch(() => stop.throwIfAborted());
}
