/**
 * Follows generations: the relay of the runners' events to those who wait. Events come from the Redis Stream while it
 * is there; when its retention is over, an ended generation is answered from its row.
 */
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { ArilError, type GenerationEvent } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { RedisMemory } from '../../base/redis/redis-memory.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { isOpen, type GenerationRow } from '../../models/generation.model.js';
import { collect, type Outcome } from './events/collect.js';
import { EventFeed } from './events/event-feed.js';
import { lastEvent, readEvents } from './events/event-stream.js';
import { rowAsEvents } from './events/row-as-events.js';
import { StreamHub } from './events/stream-hub.js';
import { GenerationMetrics } from './generation-metrics.js';
import { GenerationService } from './generation.service.js';
import { OverdueService } from './overdue.service.js';
import { type ReaderGone, ReaderWatch } from './reader-watch.js';

/** How often a follower looks at the row. It learns there of an end that its stream, lost with a Redis, cannot tell. */
const ROW_CHECK_MS = 10_000;
/** Time for a generation that is ended at its deadline to say so itself. */
const DEADLINE_GRACE_MS = 2_000;

@Injectable()
export class GenerationFollower implements OnModuleDestroy {
  private readonly logger = new Logger(GenerationFollower.name);
  private readonly hub: StreamHub;
  /** Looks at the row of each open feed. */
  private readonly checks = new Set<() => Promise<void>>();

  constructor(
    private readonly redis: RedisService,
    private readonly generations: GenerationService,
    private readonly overdue: OverdueService,
    private readonly readers: ReaderWatch,
    memory: RedisMemory,
    metrics: GenerationMetrics,
  ) {
    this.hub = new StreamHub(redis.client, redis.connect('streams'), (error) =>
      this.logger.warn({ err: error }, 'reading the generation streams failed; trying again'),
    );
    memory.onLost(() => void this.checkAll());
    metrics.watchStreams(() => this.hub.followers);
  }

  /**
   * Events after number `after` of a row that the caller may see; ends after the `end` event. The caller must read it to its
   * end or return it. `isRead` false: nobody reads along, so nobody has to be expelled who may not any more.
   */
  async follow(caller: Caller, row: GenerationRow, after = 0, isRead = true): Promise<EventFeed> {
    // The row was read first: if it was open then, the stream that is missing now is still to come.
    if (!(await this.keepsEvents(row))) return fromRow(row, after);
    const feed = await this.hub.follow(row.id, after);
    this.watchRow(caller, row, feed);
    if (isRead) feed.onClosed(this.readers.watch(caller, (gone) => this.expel(caller, row, feed, gone)));
    return feed;
  }

  /** Events up to number `upTo`, as far as they are kept: what a follower after it was told before. */
  told(id: string, upTo: number): Promise<GenerationEvent[]> {
    return upTo === 0 ? Promise.resolve([]) : readEvents(this.redis.client, id, 0, upTo);
  }

  /** Whether all that was told of it can be told again: an ended generation's row has its texts alone. */
  async keepsEvents(row: GenerationRow): Promise<boolean> {
    return isOpen(row) || (await lastEvent(this.redis.client, row.id)) !== null;
  }

  /** Whoever still follows is told to come back. */
  close(): Promise<void> {
    return this.hub.close();
  }

  onModuleDestroy(): Promise<void> {
    return this.close();
  }

  /**
   * The whole of a generation, once it has ended. A generation that outlives its time is waited for no longer.
   * @throws ArilError TIMED_OUT
   */
  async outcome(caller: Caller, row: GenerationRow, isRead = true): Promise<Outcome> {
    const feed = await this.follow(caller, row, 0, isRead);
    const waitMs = this.overdue.deadlineOf(row) - Date.now() + DEADLINE_GRACE_MS;
    const timer = setTimeout(() => feed.fail(stillRunning(row)), Math.max(waitMs, DEADLINE_GRACE_MS));
    try {
      return await collect(feed, row.n);
    } finally {
      clearTimeout(timer);
      await feed.return();
    }
  }

  /** The same without log probabilities, and without its stream where its row has the texts. */
  async answers(caller: Caller, row: GenerationRow): Promise<Outcome> {
    return isOpen(row) || row.text === null ? this.outcome(caller, row, false) : collect(fromRow(row, 0), row.n);
  }

  /** What he has asked for himself nobody waits for any more: the rest is not generated, and what was is charged. */
  private expel(caller: Caller, row: GenerationRow, feed: EventFeed, gone: ReaderGone): void {
    feed.fail(gone);
    if (row.apiKeyId !== caller.apiKeyId || row.userId !== caller.userId) return;
    this.generations.abandon(row).catch((error: unknown) => {
      this.logger.error({ generationId: row.id, err: error }, 'ending what its reader may not read failed');
    });
  }

  /** Checks the row now and then, and at the deadline, until the feed closes. */
  private watchRow(caller: Caller, row: GenerationRow, feed: EventFeed): void {
    if (!isOpen(row)) return;
    const check = (): Promise<void> => this.checkRow(caller, row, feed);
    this.checks.add(check);
    const atDeadline = setTimeout(() => void check(), Math.max(this.overdue.deadlineOf(row) - Date.now(), 0) + 50);
    const regular = setInterval(() => void check(), ROW_CHECK_MS);
    feed.onClosed(() => {
      clearTimeout(atDeadline);
      clearInterval(regular);
      this.checks.delete(check);
    });
  }

  /** One after the other: there may be thousands, and the database has others to serve. */
  private async checkAll(): Promise<void> {
    for (const check of [...this.checks]) await check();
  }

  private async checkRow(caller: Caller, { id }: GenerationRow, feed: EventFeed): Promise<void> {
    try {
      await this.overdue.check({ tenantId: caller.tenantId, id });
      const row = await this.generations.find(caller, id);
      if (isOpen(row) || feed.closed) return;
      const last = await lastEvent(this.redis.client, id);
      if (last && last.seq > feed.position) return;
      // Ended, and no stream to say it, or one that Redis lost and that began anew below what was told: the row says it.
      const events = restOf(row, feed.position);
      if (events === null) feed.fail(eventsGone(row));
      else for (const event of events) feed.push(event);
    } catch (error) {
      this.logger.warn({ generationId: id, err: error }, 'checking a followed generation failed');
    }
  }
}

function fromRow(row: GenerationRow, after: number): EventFeed {
  // Where the earlier events were cut is no longer known, so a reader in the middle cannot be served.
  const events = after > 0 ? null : rowAsEvents(row);
  if (events === null) throw eventsGone(row);
  const feed = new EventFeed(0);
  for (const event of events) feed.push(event);
  return feed;
}

/** What there is to say after number `after`: of one that failed it is that; a text's rest cannot be told from the row. */
function restOf(row: GenerationRow, after: number): GenerationEvent[] | null {
  const events = rowAsEvents(row);
  if (after === 0) return events;
  return row.status === 'FAILED' && events ? events.slice(-1).map((end) => ({ ...end, text: '', seq: after + 1 })) : null;
}

function stillRunning(row: GenerationRow): ArilError {
  return new ArilError('TIMED_OUT', `generation ${row.id} has not ended in time; it is still running and can be followed or cancelled`);
}

function eventsGone(row: GenerationRow): ArilError {
  return new ArilError(
    'CONFLICT',
    `the events of generation ${row.id} are no longer kept; ask for the generation itself, or for its events from the start`,
    'after',
  );
}
