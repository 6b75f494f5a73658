import { setTimeout as sleep } from 'node:timers/promises';
import { Args, ID, Mutation, Query, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { mayGenerate } from './generation.policy.js';
import { isOpen, type GenerationRow } from '../../models/generation.model.js';
import { fieldNames, toRequest } from './generate-input.js';
import { GenerationFollower } from './generation-follower.js';
import { CancelGenerationInput, GenerateInput } from './generation.inputs.js';
import { GenerationService } from './generation.service.js';
import { CancelGenerationPayload, GeneratePayload, GenerationType } from './generation.types.js';
import { generationView, unsettledView } from './generation.view.js';

/** The settlement follows the end event within milliseconds, unless the database is in trouble. */
const SETTLED_WITHIN_MS = 10_000;

@Resolver(() => GenerationType)
export class GenerationResolver {
  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
  ) {}

  @Query(() => GenerationType)
  async generation(@CurrentCaller() caller: Caller, @Args('id', { type: () => ID }) id: string): Promise<GenerationType> {
    mayGenerate(caller);
    const row = await this.generations.find(caller, id);
    return generationView(await this.generations.withRunning(row));
  }

  @Mutation(() => GeneratePayload, { description: 'Waits for the whole text.' })
  async generate(@CurrentCaller() caller: Caller, @Args('input') input: GenerateInput): Promise<GeneratePayload> {
    mayGenerate(caller);
    const row = await this.generations.start(caller, toRequest(input), fieldNames(input));
    return { generation: await this.whenEnded(caller, row) };
  }

  @Mutation(() => GeneratePayload, { description: 'Returns at once; follow with the subscription `generationEvents`.' })
  async startGeneration(@CurrentCaller() caller: Caller, @Args('input') input: GenerateInput): Promise<GeneratePayload> {
    mayGenerate(caller);
    const row = await this.generations.start(caller, toRequest(input), fieldNames(input));
    return { generation: generationView(await this.generations.withRunning(row)) };
  }

  @Mutation(() => CancelGenerationPayload)
  async cancelGeneration(
    @CurrentCaller() caller: Caller,
    @Args('input') input: CancelGenerationInput,
  ): Promise<CancelGenerationPayload> {
    mayGenerate(caller);
    const row = await this.generations.cancel(caller, input.generationId);
    return { generation: generationView(await this.generations.withRunning(row)) };
  }

  private async whenEnded(caller: Caller, row: GenerationRow): Promise<GenerationType> {
    if (!isOpen(row)) return generationView(row);
    const outcome = await this.follower.outcome(caller, row);
    const giveUpAt = Date.now() + SETTLED_WITHIN_MS;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 250)) {
      const now = await this.generations.find(caller, row.id);
      if (!isOpen(now)) return generationView(now);
      if (Date.now() > giveUpAt) return unsettledView(now, outcome);
      await sleep(pauseMs);
    }
  }
}
