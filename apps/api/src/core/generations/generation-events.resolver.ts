import { Inject } from '@nestjs/common';
import { Args, ID, Int, Resolver, Subscription } from '@nestjs/graphql';
import { ArilError, type GenerationEvent } from '@aril/contracts';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import { mayGenerate } from './generation.policy.js';
import type { EventFeed } from './events/event-feed.js';
import { GenerationFollower } from './generation-follower.js';
import { GenerationService } from './generation.service.js';
import { GenerationEventUnion } from './generation.types.js';
import { eventView } from './generation.view.js';
import { TenantSeats } from './tenant-seats.js';
import { EventParts } from './thoughts/answer-parts.js';

interface Payload {
  generationEvents: ReturnType<typeof eventView> | Error;
}

@Resolver()
export class GenerationEventsResolver {
  private readonly seats: TenantSeats;

  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
    @Inject(CONFIG) config: Config,
  ) {
    this.seats = new TenantSeats(config.TENANT_WAITING_MAX);
  }

  @Subscription(() => GenerationEventUnion, {
    description: 'Events after number `after` (default 0 = from the start), without gap or repeat; completes after the end.',
  })
  async generationEvents(
    @CurrentCaller() caller: Caller,
    @Args('generationId', { type: () => ID }) generationId: string,
    @Args('after', { type: () => Int, nullable: true, defaultValue: 0 }) after: number | null,
  ): Promise<AsyncIterableIterator<Payload>> {
    mayGenerate(caller);
    const from = after ?? 0;
    if (from < 0) throw new ArilError('BAD_INPUT', `after: expected 0 or more, found ${from}`, 'after');
    const row = await this.generations.find(caller, generationId);
    const leave = this.seats.take(caller.tenantId);
    try {
      // Before the feed, which somebody would have to return if this failed.
      const parts = new EventParts();
      for (const event of await this.follower.told(row.id, from)) if (event.type !== 'prompt') parts.read(event);
      return mapped(await this.follower.follow(caller, row, from), parts, leave);
    } catch (error) {
      leave();
      throw error;
    }
  }
}

/**
 * Not a generator, for the same reason as `EventFeed`: `return` must take effect while `next` waits. A failure is told
 * as the last event's error: thrown, it would cut the connection, and other subscriptions on it, without a word.
 * `leave` is called when it has been read to its end or left, which may be long after the feed took its last event.
 */
function mapped(feed: EventFeed, parts: EventParts, leave: () => void): AsyncIterableIterator<Payload> {
  const toPayload = (step: IteratorResult<GenerationEvent>): IteratorResult<Payload> => {
    if (!step.done) return { done: false, value: { generationEvents: eventView(step.value, parts) } };
    leave();
    return step;
  };
  const toFailure = (error: unknown): IteratorResult<Payload> => ({
    done: false,
    value: { generationEvents: error instanceof Error ? error : new Error(String(error)) },
  });
  return {
    next: () => feed.next().then(toPayload, toFailure),
    return: async () => {
      leave();
      return { done: true, value: await feed.return() };
    },
    throw: (error: unknown) => {
      leave();
      return feed.throw(error) as Promise<never>;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
