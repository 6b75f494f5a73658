/**
 * The one blocking reader of this process. However many subscribers follow generations here, a single Redis
 * connection waits for all their streams with one XREAD; a connection per subscriber would exhaust Redis first.
 *
 * XREAD takes its keys when it is sent, so a new subscription must interrupt the one in flight. It does so by
 * writing to a wake stream of this process, which is among the keys of every XREAD: unlike CLIENT UNBLOCK, an entry
 * written a moment before the XREAD is sent is not missed.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArilError, generationStreamKey, type GenerationEvent } from '@aril/contracts';
import type { Redis } from 'ioredis';
import { COMMAND_MS_MAX } from '../../../base/redis/redis.service.js';
import { EventFeed, READY_MAX } from './event-feed.js';
import { lastEvent, parseEntry, readEvents, type StreamEntry } from './event-stream.js';

/** Bounds how long a wake entry lost with a Redis restart can delay a new subscription. */
const BLOCK_MS = 2_000;
/** Silence is counted in these: a process that was stopped finds its timers due before it has read what came meanwhile. */
const TICK_MS = 1_000;
/** Entries of one stream per read: a long backlog of one generation does not hold up the others. */
const ENTRIES_PER_READ = READY_MAX;
const RETRY_MS = 500;
const WAKE_KEY_TTL_S = 3_600;

interface Channel {
  generationId: string;
  /** Number of the last event read from Redis for this channel. */
  cursor: number;
  feeds: Set<EventFeed>;
}

type ReadReply = [key: string, entries: StreamEntry[]][] | null;

export class StreamHub {
  private readonly channels = new Map<string, Channel>();
  private readonly wakeKey = `aril:api:wake:${randomUUID()}`;
  private wakeId = '0-0';
  private loop: Promise<void> | null = null;
  private closed = false;

  /** `blocking` is used by nobody else: while it waits, other commands on it would wait too. */
  constructor(
    private readonly commands: Redis,
    private readonly blocking: Redis,
    private readonly onError: (error: unknown) => void,
  ) {}

  get followers(): number {
    let count = 0;
    for (const { feeds } of this.channels.values()) count += feeds.size;
    return count;
  }

  /** Events after number `after`. The feed must be returned (or read to its end) to be released. */
  async follow(generationId: string, after: number): Promise<EventFeed> {
    if (this.closed) throw restarting();
    const last = await lastEvent(this.commands, generationId);
    const feed = new EventFeed(after, (position) => readEvents(this.commands, generationId, position, READY_MAX));
    if (last?.type === 'end' && last.seq <= after) {
      await feed.return();
      return feed;
    }
    feed.onClosed(() => this.leave(generationId, feed));
    // A subscriber that claims more than there is waits from here, not from its claim: otherwise the end would pass
    // below its position unseen.
    this.join(generationId, Math.min(after, last?.seq ?? 0), feed);
    return feed;
  }

  /** Followers are told to come back: an end without a word would look like the generation's. */
  async close(): Promise<void> {
    this.closed = true;
    for (const channel of this.channels.values()) for (const feed of [...channel.feeds]) feed.fail(restarting());
    this.blocking.disconnect();
    await this.loop;
    await this.commands.del(this.wakeKey).catch(() => undefined);
  }

  private join(generationId: string, cursor: number, feed: EventFeed): void {
    const key = generationStreamKey(generationId);
    let channel = this.channels.get(key);
    if (!channel) {
      channel = { generationId, cursor, feeds: new Set() };
      this.channels.set(key, channel);
      this.wake();
    }
    channel.feeds.add(feed);
    // It has already read for others what this one has not got.
    if (channel.cursor > feed.position) feed.fallBehind();
    this.loop ??= this.run();
  }

  private leave(generationId: string, feed: EventFeed): void {
    const key = generationStreamKey(generationId);
    const channel = this.channels.get(key);
    if (channel?.feeds.delete(feed) && channel.feeds.size === 0) this.channels.delete(key);
  }

  /** Not merged with a wake entry under way: the XREAD it causes may have been sent without the new key. */
  private wake(): void {
    this.commands
      .multi()
      .xadd(this.wakeKey, 'MAXLEN', '1', '*', 'w', '1')
      .expire(this.wakeKey, WAKE_KEY_TTL_S)
      .exec()
      .catch(this.onError);
  }

  private async run(): Promise<void> {
    while (!this.closed && this.channels.size > 0) {
      try {
        const asked = new Map(this.channels);
        let left = (BLOCK_MS + COMMAND_MS_MAX) / TICK_MS;
        const watchdog = setInterval(() => --left === 0 && this.giveUp(), TICK_MS);
        const reply = await this.read(asked).finally(() => clearInterval(watchdog));
        this.deliver(asked, reply);
      } catch (error) {
        if (this.closed) return;
        this.onError(error);
        await sleep(RETRY_MS);
      }
    }
    this.loop = null;
  }

  /** As long as a command may take, Redis has said nothing. Who waits is told so; whoever comes from now on waits anew. */
  private giveUp(): void {
    const away = new ArilError('OVERLOADED', 'What is generated cannot be read at the moment. Ask again later.');
    for (const channel of this.channels.values()) for (const feed of [...channel.feeds]) feed.fail(away);
    this.blocking.disconnect(true);
  }

  private async read(asked: ReadonlyMap<string, Channel>): Promise<ReadReply> {
    const keys = [this.wakeKey];
    const ids = [this.wakeId];
    for (const [key, channel] of asked) {
      keys.push(key);
      ids.push(`${channel.cursor}-0`);
    }
    return (await this.blocking.xread(
      'COUNT',
      ENTRIES_PER_READ,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      ...keys,
      ...ids,
    )) as ReadReply;
  }

  private deliver(asked: ReadonlyMap<string, Channel>, reply: ReadReply): void {
    for (const [key, entries] of reply ?? []) {
      const channel = asked.get(key);
      if (key === this.wakeKey) this.wakeId = entries.at(-1)?.[0] ?? this.wakeId;
      // Left, or left and joined again at another position, while the read was in flight: not this channel's answer.
      else if (channel && this.channels.get(key) === channel) this.deliverTo(channel, entries);
    }
  }

  private deliverTo(channel: Channel, entries: StreamEntry[]): void {
    for (const entry of entries) {
      let event: GenerationEvent;
      try {
        event = parseEntry(entry);
      } catch (error) {
        for (const feed of [...channel.feeds]) feed.fail(error);
        return;
      }
      channel.cursor = event.seq;
      for (const feed of [...channel.feeds]) feed.push(event);
    }
  }
}

const restarting = (): ArilError => new ArilError('ENGINE_CLOSED', 'This server is restarting; the generation goes on. Ask for it again.');
