/** Runs one OpenAI request: admits its prompts, and answers whole or streamed. */
import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ArilError, type EndEvent } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { reportError, type ErrorReport } from '../../base/errors/error-report.js';
import { VARIANT_HEADER } from '../../base/http/headers.js';
import { variantOf, type GenerationRow } from '../../models/generation.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import type { Outcome } from '../generations/events/collect.js';
import type { EventFeed } from '../generations/events/event-feed.js';
import type { FieldNames } from '../generations/generation-request.js';
import { GenerationService, type AdmittedGeneration } from '../generations/generation.service.js';
import type { RateStatus } from '../limits/rate-limiter.js';
import { streamCompletion, type CompletionStream } from './completion-stream.js';
import type { Admitted, Endpoint } from './endpoint.js';
import { idempotencyKeyOf, keyOfPrompt, type Exchange } from './exchange.js';
import { admissionFailure, generationFailure } from './openai-failure.js';
import type { OpenAiRequest } from './openai-request.js';
import { writeRateHeaders } from './rate-headers.js';
import { UnreadAnswers } from './unread-answers.js';

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
  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
    private readonly baseModels: BaseModelService,
    private readonly unread: UnreadAnswers,
  ) {}

  async answer(endpoint: Endpoint, asked: OpenAiRequest, exchange: Exchange): Promise<void> {
    const rows = await this.startAll(endpoint, asked, exchange);
    const [first] = rows;
    if (!first) throw new Error('a request was parsed into no generation');
    this.unread.abandonOnDisconnect(rows, exchange);
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
      this.unread.attend(rows, exchange);
      for (const each of admitted) await this.generations.run(each);
      return rows;
    } catch (error) {
      this.unread.disown(rows, error, exchange);
      throw error;
    }
  }

  private async admitAll(endpoint: Endpoint, asked: OpenAiRequest, exchange: Exchange): Promise<AdmittedGeneration[]> {
    const key = idempotencyKeyOf(exchange);
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
      await this.unread.takeBack(admitted);
      throw admissionFailure(error);
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
      this.unread.disown(rows, error, exchange);
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
    let told: ArilError | null = null;
    const ownFailure: Failure = (...end) => (told = failure(...end));
    const report = (error: unknown): ErrorReport => {
      // Of one that has ended by itself its runner has more to say, and it costs nothing as it is.
      if (error === told) this.unread.abandon(rows, exchange);
      else this.unread.disown(rows, error, exchange);
      return reportError(error, String(request.id));
    };
    try {
      for (const { id } of rows) feeds.push(await this.follower.follow(caller, id));
      response.once('close', leave);
      await streamCompletion(feeds, { response, writer: (sse) => endpoint.stream(admitted, sse), failure: ownFailure, report });
    } catch (error) {
      this.unread.disown(rows, error, exchange);
      throw error;
    } finally {
      leave();
    }
  }
}
