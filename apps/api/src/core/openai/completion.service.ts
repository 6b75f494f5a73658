/** Runs one OpenAI request: admits it, and answers whole or streamed. */
import { Injectable, Logger } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Request, Response } from 'express';
import type { Caller } from '../../base/auth/caller.js';
import { openAiError, reportError } from '../../base/errors/error-report.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import { idempotencyKeySchema, IDEMPOTENCY_KEY_CHARS_MAX } from '../generations/generation-request.js';
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
    const idempotencyKey = idempotencyKeyOf(exchange.request);
    const names = {
      target: 'model',
      input: flavour === 'chat' ? 'messages' : 'prompt',
      maxTokens: 'max_tokens',
      minTokens: 'min_tokens',
      logprobs: flavour === 'chat' ? 'top_logprobs' : 'logprobs',
      idempotencyKey: 'Idempotency-Key',
    };
    const row = await this.generations.start(exchange.caller, { ...asked.generation, idempotencyKey }, names);
    this.cancelOnDisconnect(row, exchange);
    const created = Math.floor(row.createdAt.getTime() / 1_000);
    const head: Head = { flavour, generationId: row.id, created, model: row.target, n: row.n };
    if (asked.stream) await this.stream(row, head, asked.includeUsage, exchange);
    else await this.whole(row, head, exchange);
  }

  private async whole(row: GenerationRow, head: Head, { caller, response }: Exchange): Promise<void> {
    const outcome = await this.follower.outcome(caller, row);
    if (outcome.error) throw new ArilError(outcome.error.code, outcome.error.message);
    if (!response.destroyed) response.json(wholeAnswer(head, outcome));
  }

  private async stream(row: GenerationRow, head: Head, includeUsage: boolean, exchange: Exchange): Promise<void> {
    const { caller, request, response } = exchange;
    const feed = await this.follower.follow(caller, row.id);
    response.once('close', () => void feed.return());
    const errorBody = (error: unknown): object => openAiError(reportError(error, String(request.id)));
    try {
      await streamCompletion(feed, { head, includeUsage, response, errorBody });
    } finally {
      await feed.return();
    }
  }

  /**
   * Nobody will read the rest, so it is not generated. A caller that sent an idempotency key is going to ask again,
   * and must then find the whole answer.
   */
  private cancelOnDisconnect(row: GenerationRow, { caller, response }: Exchange): void {
    if (row.idempotencyKey !== null) return;
    const cancel = (): void => {
      if (response.writableFinished) return;
      this.generations.cancel(caller, row.id).catch((error: unknown) => {
        this.logger.error({ generationId: row.id, err: error }, 'cancelling after a disconnect failed');
      });
    };
    // The connection can have gone while the generation was admitted.
    if (response.destroyed) cancel();
    else response.once('close', cancel);
  }
}

function idempotencyKeyOf(request: Request): string | null {
  const given = request.get('idempotency-key');
  if (given === undefined || given === '') return null;
  if (idempotencyKeySchema.safeParse(given).success) return given;
  return refuse('Idempotency-Key', `Idempotency-Key: expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters, found ${given.length}.`);
}
