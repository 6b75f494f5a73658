/**
 * One subscriber's view of a generation: events in order, numbered without gap or repeat, ending after the `end`
 * event. Written by hand rather than as an async generator, because a generator suspended in `await` cannot be
 * returned: a client that leaves while nothing happens would be held until the next event.
 *
 * A subscriber who does not keep up has a bounded number of events waiting here. What comes beyond is in the stream, from
 * which the feed goes on once they are read.
 */
import { ArilError, type GenerationEvent } from '@aril/contracts';

type Step = IteratorResult<GenerationEvent, undefined>;
interface Waiter {
  resolve(step: Step): void;
  reject(error: unknown): void;
}

/** Events of one feed that wait for its subscriber: as many as one read of its stream can bring. */
export const READY_MAX = 256;

const DONE: Step = { done: true, value: undefined };

export class EventFeed implements AsyncIterableIterator<GenerationEvent, undefined> {
  private readonly ready: GenerationEvent[] = [];
  private readonly waiters: Waiter[] = [];
  /** Live events held back while the events before them are being fetched. */
  private held: GenerationEvent[] | null = null;
  /** There are events after the ready ones that were not taken. */
  private behind = false;
  private ended = false;
  private failure: unknown;

  private readonly closeListeners: (() => void)[] = [];

  /**
   * `lastSeq` is the number of the last event that the subscriber has. `fetch` gives those after a number, at most
   * `READY_MAX` of them, and fewer only if there are no more now.
   */
  constructor(
    private lastSeq: number,
    private readonly fetch?: (after: number) => Promise<GenerationEvent[]>,
  ) {}

  get position(): number {
    return this.lastSeq;
  }

  get closed(): boolean {
    return this.ended;
  }

  /** Calls `listener` once, when the feed takes no more events: after the end, a failure, or the subscriber's leaving. */
  onClosed(listener: () => void): void {
    if (this.ended) listener();
    else this.closeListeners.push(listener);
  }

  push(event: GenerationEvent): void {
    if (this.ended) return;
    if (this.held) this.held.push(event);
    else if (this.behind || (this.fetch && this.ready.length >= READY_MAX)) this.behind = true;
    else this.accept(event);
  }

  /** What is pushed does not begin where the subscriber is: what is before it has to be fetched. */
  fallBehind(): void {
    this.behind = true;
  }

  /** Events already queued are still delivered; then the subscriber gets the error. */
  fail(error: unknown): void {
    if (this.ended) return;
    this.failure = error;
    this.close();
  }

  next(): Promise<Step> {
    const event = this.ready.shift();
    if (this.behind && this.ready.length === 0) void this.catchUp();
    if (event) return Promise.resolve({ done: false, value: event });
    if (!this.ended) return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
    if (this.failure === undefined) return Promise.resolve(DONE);
    const error = this.failure;
    this.failure = undefined;
    return Promise.reject(error);
  }

  return(): Promise<Step> {
    this.ready.length = 0;
    this.failure = undefined;
    this.close();
    return Promise.resolve(DONE);
  }

  throw(error?: unknown): Promise<Step> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As long as there is more in the stream than was fetched, what comes live can wait there too. */
  private async catchUp(): Promise<void> {
    if (!this.fetch || this.held) return;
    this.behind = false;
    this.held = [];
    try {
      const earlier = await this.fetch(this.lastSeq);
      const isAll = earlier.length < READY_MAX;
      const later = isAll ? this.held : [];
      this.held = null;
      for (const event of [...earlier, ...later]) this.push(event);
      this.behind ||= !isAll && !this.ended;
    } catch (error) {
      this.held = null;
      this.fail(error);
    }
  }

  private accept(event: GenerationEvent): void {
    if (event.seq > this.lastSeq + 1) {
      this.fail(new ArilError('INTERNAL', `event ${this.lastSeq + 1} is missing: the next one is ${event.seq}`));
      return;
    }
    if (event.seq === this.lastSeq + 1) {
      this.lastSeq = event.seq;
      const waiter = this.waiters.shift();
      if (waiter) waiter.resolve({ done: false, value: event });
      else this.ready.push(event);
    }
    // Also when the subscriber already had it: nothing will follow.
    if (event.type === 'end') this.close();
  }

  private close(): void {
    if (this.ended) return;
    this.ended = true;
    for (const waiter of this.waiters.splice(0)) {
      if (this.failure === undefined) waiter.resolve(DONE);
      else waiter.reject(this.failure);
    }
    for (const listener of this.closeListeners.splice(0)) listener();
  }
}
