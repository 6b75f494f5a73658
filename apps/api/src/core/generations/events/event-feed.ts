/**
 * One subscriber's view of a generation: events in order, numbered without gap or repeat, ending after the `end`
 * event. Written by hand rather than as an async generator, because a generator suspended in `await` cannot be
 * returned: a client that leaves while nothing happens would be held until the next event.
 */
import { ArilError, type GenerationEvent } from '@aril/contracts';

type Step = IteratorResult<GenerationEvent, undefined>;
interface Waiter {
  resolve(step: Step): void;
  reject(error: unknown): void;
}

const DONE: Step = { done: true, value: undefined };

export class EventFeed implements AsyncIterableIterator<GenerationEvent, undefined> {
  private readonly ready: GenerationEvent[] = [];
  private readonly waiters: Waiter[] = [];
  /** Live events held back while the events before them are still being fetched. */
  private held: GenerationEvent[] | null = null;
  private ended = false;
  private failure: unknown;

  private readonly closeListeners: (() => void)[] = [];

  /** `lastSeq` is the number of the last event that the subscriber has. */
  constructor(private lastSeq: number) {}

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
    else this.accept(event);
  }

  hold(): void {
    this.held = [];
  }

  /** Ends the hold: first `earlier`, then what arrived meanwhile. */
  release(earlier: GenerationEvent[]): void {
    const later = this.held ?? [];
    this.held = null;
    for (const event of [...earlier, ...later]) this.push(event);
  }

  /** Events already queued are still delivered; then the subscriber gets the error. */
  fail(error: unknown): void {
    if (this.ended) return;
    this.failure = error;
    this.close();
  }

  next(): Promise<Step> {
    const event = this.ready.shift();
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
