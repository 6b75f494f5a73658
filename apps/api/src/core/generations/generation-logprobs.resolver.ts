import { Parent, ResolveField, Resolver } from '@nestjs/graphql';
import type { TokenLogprob } from '@aril/contracts';
import { RedisService } from '../../base/redis/redis.service.js';
import { logprobsOf } from './events/collect.js';
import { readEvents } from './events/event-stream.js';
import { GenerationType, TokenLogprobType } from './generation.types.js';

/** Log probabilities are in the stream only: a row would grow by more than its text, for what is looked at once. */
@Resolver(() => GenerationType)
export class GenerationLogprobsResolver {
  constructor(private readonly redis: RedisService) {}

  @ResolveField(() => [[TokenLogprobType]], {
    nullable: true,
    description: 'By choice, one per token. null: not asked for, not ended, or its events are no longer kept (15 minutes).',
  })
  async logprobs(@Parent() { id, choices }: GenerationType): Promise<TokenLogprob[][] | null> {
    if (choices === null) return null;
    const byChoice = logprobsOf(await readEvents(this.redis.client, id), choices.length);
    return byChoice.every((logprobs) => logprobs === null) ? null : byChoice.map((logprobs) => logprobs ?? []);
  }
}
