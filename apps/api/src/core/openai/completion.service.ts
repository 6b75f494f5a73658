/** Runs one OpenAI request: admits its prompts, and answers whole or streamed. */
import { Injectable } from '@nestjs/common';
import type { ArilError } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { reportError, type ErrorReport } from '../../base/errors/error-report.js';
import { VARIANT_HEADER } from '../../base/http/headers.js';
import { variantOf, type GenerationRow } from '../../models/generation.model.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import type { Outcome } from '../generations/events/collect.js';
import type { EventFeed } from '../generations/events/event-feed.js';
import { GenerationService } from '../generations/generation.service.js';
import type { RateStatus } from '../limits/rate-limiter.js';
import { streamCompletion, type CompletionStream } from './completion-stream.js';
import type { ReadRequest } from './endpoints.js';
import { idempotencyKeyOf, type Exchange } from './exchange.js';
import { type EngineError, PromptService } from './prompt.service.js';
import { writeRateHeaders } from './rate-headers.js';
import { UnreadAnswers } from './unread-answers.js';

/** In the caller's words, by the number of the prompt. */
type Failure = CompletionStream['failure'];

interface Answer {
  /** One per prompt. */
  rows: readonly GenerationRow[];
  request: ReadRequest;
  first: GenerationRow;
  failure: Failure;
}

@Injectable()
export class CompletionService {
  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
    private readonly prompts: PromptService,
    private readonly unread: UnreadAnswers,
  ) {}

  async answer(request: ReadRequest, exchange: Exchange): Promise<void> {
    const rows = await this.startAll(request, exchange);
    const [first] = rows;
    if (!first) throw new Error('a request was parsed into no generation');
    this.unread.abandonOnDisconnect(rows, exchange);
    exchange.response.setHeader(VARIANT_HEADER, variantOf(first));
    await this.prompts.requireEvents(request, rows);
    const failure: Failure = (prompt, error) => this.prompts.failure(rows[prompt] ?? first, error, request, prompt);
    const answer = { rows, request, first, failure };
    await (request.asked.stream ? this.stream(answer, exchange) : this.whole(answer, exchange));
  }

  private async startAll(request: ReadRequest, exchange: Exchange): Promise<GenerationRow[]> {
    const tell = (rates: RateStatus[]): void => writeRateHeaders(exchange.response, rates);
    const key = idempotencyKeyOf(exchange);
    const admitted = await this.prompts.admitAll(request, key, (generation, names) => this.generations.admit(exchange.caller, generation, names, tell));
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

  private async whole({ rows, request, first, failure }: Answer, exchange: Exchange): Promise<void> {
    const { caller, response } = exchange;
    try {
      const outcomes = await Promise.all(rows.map((row, prompt) => this.outcome(caller, row, (error) => failure(prompt, error))));
      if (!response.destroyed) response.json(request.endpoint.whole(this.prompts.admittedOf(request, first), outcomes));
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

  private async stream({ rows, request: { endpoint, asked }, first, failure }: Answer, exchange: Exchange): Promise<void> {
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
    const admitted = this.prompts.admittedOf({ endpoint, asked }, first);
    try {
      for (const row of rows) feeds.push(await this.follower.follow(caller, row));
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
