/** Runs one OpenAI request: admits its prompts, and answers whole or streamed. */
import { Injectable, Logger } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Request, Response } from 'express';
import type { Caller } from '../../base/auth/caller.js';
import { openAiError, reportError } from '../../base/errors/error-report.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import type { Outcome } from '../generations/events/collect.js';
import type { EventFeed } from '../generations/events/event-feed.js';
import { idempotencyKeySchema, IDEMPOTENCY_KEY_CHARS_MAX, type FieldNames } from '../generations/generation-request.js';
import { GenerationService } from '../generations/generation.service.js';
import type { GenerationRow } from '../../models/generation.model.js';
import { streamCompletion } from './completion-stream.js';
import { refuse } from './openai-error.js';
import type { OpenAiRequest } from './openai-request.js';
import { wholeAnswer, type Flavour, type Head } from './openai-response.js';

/** What a request brings along besides its body. */
export interface Exchange {
  caller: Caller;
  request: Request;
  response: Response;
}

@Injectable()
export class CompletionService {
  private readonly logger = new Logger(CompletionService.name);

  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
  ) {}

  async answer(flavour: Flavour, asked: OpenAiRequest, exchange: Exchange): Promise<void> {
    const rows = await this.startAll(flavour, asked, exchange);
    const [first] = rows;
    if (!first) throw new Error('a request was parsed into no generation');
    this.cancelOnDisconnect(rows, exchange);
    if (asked.generations.some(({ echo }) => echo)) await this.requireEvents(rows);
    const created = Math.floor(first.createdAt.getTime() / 1_000);
    const head: Head = { flavour, generationId: first.id, created, model: first.target, n: first.n };
    if (asked.stream) await this.stream(rows, head, asked.includeUsage, exchange);
    else await this.whole(rows, head, exchange);
  }

  /** One generation per prompt; all of them, or none that goes on. */
  private async startAll(flavour: Flavour, asked: OpenAiRequest, { caller, request }: Exchange): Promise<GenerationRow[]> {
    const key = idempotencyKeyOf(request);
    const rows: GenerationRow[] = [];
    try {
      for (const [prompt, generation] of asked.generations.entries()) {
        const names = fieldNames(flavour, asked.generations.length > 1 ? `prompt[${prompt}]` : 'prompt');
        const idempotencyKey = key && keyOfPrompt(key, prompt);
        rows.push(await this.generations.start(caller, { ...generation, idempotencyKey }, names));
      }
    } catch (error) {
      this.abandon(rows, caller);
      throw error;
    }
    return rows;
  }

  /** A request that is repeated long after its answer: its echo is gone, and must not be left out in silence. */
  private async requireEvents(rows: readonly GenerationRow[]): Promise<void> {
    for (const row of rows) {
      if (await this.follower.keepsEvents(row)) continue;
      throw new ArilError('CONFLICT', `the echo of generation ${row.id} is no longer kept; ask anew, with another Idempotency-Key`, 'Idempotency-Key');
    }
  }

  private async whole(rows: readonly GenerationRow[], head: Head, { caller, response }: Exchange): Promise<void> {
    try {
      const outcomes = await Promise.all(rows.map((row) => this.outcome(caller, row)));
      if (!response.destroyed) response.json(wholeAnswer(head, outcomes));
    } catch (error) {
      this.abandon(rows, caller);
      throw error;
    }
  }

  private async outcome(caller: Caller, row: GenerationRow): Promise<Outcome> {
    const outcome = await this.follower.outcome(caller, row);
    if (outcome.error) throw new ArilError(outcome.error.code, outcome.error.message);
    return outcome;
  }

  private async stream(rows: readonly GenerationRow[], head: Head, includeUsage: boolean, exchange: Exchange): Promise<void> {
    const { caller, request, response } = exchange;
    const feeds: EventFeed[] = [];
    const leave = (): void => feeds.forEach((feed) => void feed.return());
    const errorBody = (error: unknown): object => {
      this.abandon(rows, caller);
      return openAiError(reportError(error, String(request.id)));
    };
    try {
      for (const { id } of rows) feeds.push(await this.follower.follow(caller, id));
      response.once('close', leave);
      await streamCompletion(feeds, { head, includeUsage, response, errorBody });
    } catch (error) {
      this.abandon(rows, caller);
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

  /**
   * Nobody will read the rest, so it is not generated. A caller that sent an idempotency key is going to ask again,
   * and must then find the whole answer. Those that have ended stay as they are.
   */
  private abandon(rows: readonly GenerationRow[], caller: Caller): void {
    for (const { id, idempotencyKey } of rows) {
      if (idempotencyKey !== null) continue;
      this.generations.cancel(caller, id).catch((error: unknown) => {
        this.logger.error({ generationId: id, err: error }, 'cancelling what nobody will read failed');
      });
    }
  }
}

const fieldNames = (flavour: Flavour, prompt: string): FieldNames => ({
  target: 'model',
  input: flavour === 'chat' ? 'messages' : prompt,
  maxTokens: 'max_tokens',
  minTokens: 'min_tokens',
  logprobs: flavour === 'chat' ? 'top_logprobs' : 'logprobs',
  idempotencyKey: 'Idempotency-Key',
});

/** A key names one generation: the caller's the first prompt's, so that one prompt has it as it was sent. */
const keyOfPrompt = (key: string, prompt: number): string => (prompt === 0 ? key : `${key}#${prompt}`);

function idempotencyKeyOf(request: Request): string | null {
  const given = request.get('idempotency-key');
  if (given === undefined || given === '') return null;
  if (idempotencyKeySchema.safeParse(given).success) return given;
  return refuse('Idempotency-Key', `Idempotency-Key: expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters, found ${given.length}.`);
}
