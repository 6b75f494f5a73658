/** The generations of a request, one per prompt: how they are let in, and what becomes of them. */
import { Injectable } from '@nestjs/common';
import { ArilError, type EndEvent } from '@aril/contracts';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../base/auth/caller.js';
import type { GenerationRow } from '../../models/generation.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import type { TellRates } from '../generations/generation-admission.js';
import { GenerationFollower } from '../generations/generation-follower.js';
import type { FieldNames, GenerationRequest } from '../generations/generation-request.js';
import type { AdmittedGeneration } from '../generations/generation.service.js';
import { TokenCountService } from '../generations/token-count.service.js';
import type { Admitted } from './endpoint.js';
import type { ReadRequest } from './endpoints.js';
import { keyOfPrompt } from './exchange.js';
import { admissionFailure, generationFailure } from './openai-failure.js';
import { UnreadAnswers } from './unread-answers.js';

export type EngineError = NonNullable<EndEvent['error']>;

type Admit = (request: GenerationRequest, names: FieldNames) => Promise<AdmittedGeneration>;

@Injectable()
export class PromptService {
  constructor(
    private readonly follower: GenerationFollower,
    private readonly baseModels: BaseModelService,
    private readonly unread: UnreadAnswers,
    private readonly counts: TokenCountService,
  ) {}

  /**
   * All are admitted before any runs: where one is refused, nothing was done for the others. `key`: what the request is
   * known by if it is asked again, null for one that will not be.
   */
  async admitAll({ endpoint, asked }: ReadRequest, key: string | null, admit: Admit): Promise<AdmittedGeneration[]> {
    // One request has one variant, however many its prompts are.
    const routing = key ?? randomUUID();
    const admitted: AdmittedGeneration[] = [];
    try {
      for (const [prompt, generation] of asked.generations.entries()) {
        const idempotencyKey = key && keyOfPrompt(key, prompt);
        const request = { ...generation, routingKey: generation.routingKey ?? routing, idempotencyKey };
        admitted.push(await admit(request, endpoint.fieldNames(asked, prompt)));
      }
      return admitted;
    } catch (error) {
      await this.unread.takeBack(admitted);
      throw admissionFailure(error);
    }
  }

  /** A request that is repeated long after its answer: its echo is gone, and must not be left out in silence. */
  async requireEvents({ asked }: ReadRequest, rows: readonly GenerationRow[]): Promise<void> {
    if (!asked.generations.some(({ echo }) => echo)) return;
    for (const row of rows) {
      if (await this.follower.keepsEvents(row)) continue;
      throw new ArilError('CONFLICT', `the echo of generation ${row.id} is no longer kept; ask anew, with another Idempotency-Key`, 'Idempotency-Key');
    }
  }

  admittedOf({ asked }: ReadRequest, first: GenerationRow): Admitted {
    const created = Math.floor(first.createdAt.getTime() / 1_000);
    return { generationId: first.id, created, model: first.target, n: first.n, asked };
  }

  /** How many tokens the request's prompt has. */
  async count(caller: Caller, { endpoint, asked }: ReadRequest, tell: TellRates): Promise<number> {
    const [generation] = asked.generations;
    if (!generation) throw new Error('a request was parsed into no generation');
    const names = endpoint.fieldNames(asked, 0);
    const count = await this.counts.count(caller, generation, names, tell);
    if ('tokens' in count) return count.tokens;
    throw generationFailure(count.error, { ...names, constraint: null }, count.contextTokens);
  }

  /** In the caller's words. */
  failure(row: GenerationRow, error: EngineError, { endpoint, asked }: ReadRequest, prompt: number): ArilError {
    const names = { ...endpoint.fieldNames(asked, prompt), constraint: asked.constraint };
    // A model that has left the catalog can still have failures to tell, to a caller who repeats a request.
    return generationFailure(error, names, this.baseModels.find(row.baseModelId)?.contextTokens ?? null);
  }
}
