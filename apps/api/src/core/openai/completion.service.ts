/** Runs one OpenAI request: admits its prompts, and answers whole or streamed. */
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { ArilError, type EndEvent } from '@aril/contracts';
import type { Request, Response } from 'express';
import type { Caller } from '../../base/auth/caller.js';
import { reportError, type ErrorReport } from '../../base/errors/error-report.js';
import { VARIANT_HEADER } from '../../base/http/headers.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { AttendanceService } from '../generations/attendance.service.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import type { Outcome } from '../generations/events/collect.js';
import type { EventFeed } from '../generations/events/event-feed.js';
import { idempotencyKeySchema, IDEMPOTENCY_KEY_CHARS_MAX, type FieldNames } from '../generations/generation-request.js';
import { GenerationService, type AdmittedGeneration } from '../generations/generation.service.js';
import { variantOf, type GenerationRow } from '../../models/generation.model.js';
import type { RateStatus } from '../limits/rate-limiter.js';
import type { Admitted, Endpoint } from './endpoint.js';
import { writeRateHeaders } from './rate-headers.js';
import { streamCompletion, type CompletionStream } from './completion-stream.js';
import { refuse } from './openai-error.js';
import { admissionFailure, generationFailure } from './openai-failure.js';
import type { OpenAiRequest } from './openai-request.js';

/** What a request brings along besides its body. */
export interface Exchange {
  caller: Caller;
  request: Request;
  response: Response;
}

type EngineError = NonNullable<EndEvent['error']>;
/** In the caller's words, by the number of the prompt. */
type Failure = CompletionStream['failure'];

interface Answer {
  /** One per prompt. */
  rows: readonly GenerationRow[];
  admitted: Admitted;
  endpoint: Endpoint;
  failure: Failure;
}

@Injectable()
export class CompletionService {
  private readonly logger = new Logger(CompletionService.name);

  constructor(
    private readonly generations: GenerationService,
    private readonly attendance: AttendanceService,
    private readonly follower: GenerationFollower,
    private readonly baseModels: BaseModelService,
  ) {}

  async answer(endpoint: Endpoint, asked: OpenAiRequest, exchange: Exchange): Promise<void> {
    const rows = await this.startAll(endpoint, asked, exchange);
    const [first] = rows;
    if (!first) throw new Error('a request was parsed into no generation');
    this.cancelOnDisconnect(rows, exchange);
    exchange.response.setHeader(VARIANT_HEADER, variantOf(first));
    if (asked.generations.some(({ echo }) => echo)) await this.requireEvents(rows);
    const created = Math.floor(first.createdAt.getTime() / 1_000);
    const admitted: Admitted = { generationId: first.id, created, model: first.target, n: first.n, asked };
    const failure: Failure = (prompt, error) => this.failure(rows[prompt] ?? first, error, endpoint.fieldNames(asked, prompt), asked);
    const answer = { rows, admitted, endpoint, failure };
    await (asked.stream ? this.stream(answer, exchange) : this.whole(answer, exchange));
  }

  /** One generation per prompt. All are admitted before any runs: where one is refused, nothing was done for the others. */
  private async startAll(endpoint: Endpoint, asked: OpenAiRequest, exchange: Exchange): Promise<GenerationRow[]> {
    const admitted = await this.admitAll(endpoint, asked, exchange);
    const rows = admitted.map(({ row }) => row);
    try {
      this.attend(rows, exchange);
      for (const each of admitted) await this.generations.run(each);
      return rows;
    } catch (error) {
      this.disown(rows, error, exchange);
      throw error;
    }
  }

  private async admitAll(endpoint: Endpoint, asked: OpenAiRequest, exchange: Exchange): Promise<AdmittedGeneration[]> {
    const key = idempotencyKeyOf(exchange.request);
    // One request has one variant, however many its prompts are.
    const routing = key ?? randomUUID();
    const tell = (rates: RateStatus[]): void => writeRateHeaders(exchange.response, rates);
    const admitted: AdmittedGeneration[] = [];
    try {
      for (const [prompt, generation] of asked.generations.entries()) {
        const idempotencyKey = key && keyOfPrompt(key, prompt);
        const request = { ...generation, routingKey: generation.routingKey ?? routing, idempotencyKey };
        admitted.push(await this.generations.admit(exchange.caller, request, endpoint.fieldNames(asked, prompt), tell));
      }
      return admitted;
    } catch (error) {
      await Promise.all(admitted.map((each) => this.takeBack(each)));
      throw admissionFailure(error);
    }
  }

  /** What cannot be taken back now is ended by housekeeping, as it has no job. */
  private async takeBack(admitted: AdmittedGeneration): Promise<void> {
    try {
      await this.generations.takeBack(admitted);
    } catch (error) {
      this.logger.warn({ generationId: admitted.row.id, err: error }, 'what was refused could not be taken back');
    }
  }

  /** A request that is repeated long after its answer: its echo is gone, and must not be left out in silence. */
  private async requireEvents(rows: readonly GenerationRow[]): Promise<void> {
    for (const row of rows) {
      if (await this.follower.keepsEvents(row)) continue;
      throw new ArilError('CONFLICT', `the echo of generation ${row.id} is no longer kept; ask anew, with another Idempotency-Key`, 'Idempotency-Key');
    }
  }

  private async whole({ rows, admitted, endpoint, failure }: Answer, exchange: Exchange): Promise<void> {
    const { caller, response } = exchange;
    try {
      const outcomes = await Promise.all(rows.map((row, prompt) => this.outcome(caller, row, (error) => failure(prompt, error))));
      if (!response.destroyed) response.json(endpoint.whole(admitted, outcomes));
    } catch (error) {
      this.disown(rows, error, exchange);
      throw error;
    }
  }

  private async outcome(caller: Caller, row: GenerationRow, failure: (error: EngineError) => ArilError): Promise<Outcome> {
    const outcome = await this.follower.outcome(caller, row);
    if (outcome.error) throw failure(outcome.error);
    return outcome;
  }

  private failure(row: GenerationRow, error: EngineError, names: FieldNames, { constraint }: OpenAiRequest): ArilError {
    // A model that has left the catalog can still have failures to tell, to a caller who repeats a request.
    const contextTokens = this.baseModels.find(row.baseModelId)?.contextTokens ?? null;
    return generationFailure(error, { ...names, constraint }, contextTokens);
  }

  private async stream({ rows, admitted, endpoint, failure }: Answer, exchange: Exchange): Promise<void> {
    const { caller, request, response } = exchange;
    const feeds: EventFeed[] = [];
    const leave = (): void => feeds.forEach((feed) => void feed.return());
    const report = (error: unknown): ErrorReport => {
      this.abandon(rows, caller);
      return reportError(error, String(request.id));
    };
    try {
      for (const { id } of rows) feeds.push(await this.follower.follow(caller, id));
      response.once('close', leave);
      await streamCompletion(feeds, { response, writer: (sse) => endpoint.stream(admitted, sse), failure, report });
    } catch (error) {
      this.disown(rows, error, exchange);
      throw error;
    } finally {
      leave();
    }
  }

  private cancelOnDisconnect(rows: readonly GenerationRow[], { caller, response }: Exchange): void {
    const cancel = (): void => {
      if (!response.writableFinished) this.abandon(rows, caller);
    };
    // The connection can have gone while the generations were admitted.
    if (response.destroyed) cancel();
    else response.once('close', cancel);
  }

  /** As long as the connection is there. */
  private attend(rows: readonly GenerationRow[], { response }: Exchange): void {
    const lost = rows.filter(({ idempotencyKey }) => idempotencyKey === null);
    if (response.destroyed) return;
    for (const row of lost) this.attendance.begin(row);
    response.once('close', () => lost.forEach((row) => this.attendance.end(row)));
  }

  /** Nobody will read the rest, so it is not generated; what was, is charged. Those that have ended stay as they are. */
  private abandon(rows: readonly GenerationRow[], caller: Caller): void {
    this.forThoseNotAskedForAgain(rows, ({ id }) => this.generations.cancel(caller, id));
  }

  /** The answer is an error and nothing else, so nothing of it is charged. Clients ask again by themselves. */
  private disown(rows: readonly GenerationRow[], error: unknown, { request }: Exchange): void {
    const { code, message } = reportError(error, String(request.id));
    this.forThoseNotAskedForAgain(rows, (row) => this.generations.disown(row, { code, message }));
  }

  /** A caller that sent an idempotency key is going to ask again, and must then find the whole answer. */
  private forThoseNotAskedForAgain(rows: readonly GenerationRow[], end: (row: GenerationRow) => Promise<unknown>): void {
    for (const row of rows) {
      if (row.idempotencyKey !== null) continue;
      end(row).catch((error: unknown) => {
        this.logger.error({ generationId: row.id, err: error }, 'ending what nobody will read failed');
      });
    }
  }
}

/** A key names one generation: the caller's the first prompt's, so that one prompt has it as it was sent. */
const keyOfPrompt = (key: string, prompt: number): string => (prompt === 0 ? key : `${key}#${prompt}`);

function idempotencyKeyOf(request: Request): string | null {
  const given = request.get('idempotency-key');
  if (given === undefined || given === '') return null;
  if (idempotencyKeySchema.safeParse(given).success) return given;
  return refuse('Idempotency-Key', `Idempotency-Key: expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters, found ${given.length}.`);
}
