import { STREAM_RETENTION_S, type EndEvent, type GenerationEvent } from '@aril/contracts';
import type { Append } from '../redis/append-events.js';

export type EndWithoutSeq = Omit<EndEvent, 'type' | 'seq'>;

/** How writing the end of a generation turned out; `lost` = another runner owns it, or Redis lost it. */
export type Written = 'written' | 'lost';

/**
 * What one generation still has to write, in order. Tokens that pile up while a round trip is in flight become one
 * event. What is being sent is frozen: it is repeated in the same words until it is known to be there.
 */
export class StreamChannel {
  #tokens: number[] = [];
  #tokensAtMs: number | null = null;
  #text = '';
  #end: { event: EndWithoutSeq; settlementJson: string } | null = null;
  #sending: Append | null = null;
  #lost = false;
  #idle: (() => void)[] = [];

  constructor(
    readonly generationId: string,
    readonly fence: number,
    private lastSeq: number,
    private readonly deadlineMs: number,
    /** Called once when writing has become impossible. */
    private readonly onLost: () => void,
  ) {}

  push(tokens: number[], text: string): void {
    if (this.#lost) return;
    this.#tokensAtMs ??= Date.now();
    this.#tokens.push(...tokens);
    this.#text += text;
  }

  pushEnd(event: EndWithoutSeq, settlementJson: string): void {
    if (!this.#lost) this.#end = { event, settlementJson };
  }

  get hasWork(): boolean {
    return this.#sending !== null || this.#end !== null || this.#tokens.length > 0 || this.#text !== '';
  }

  /** Resolves when all that was pushed is in the stream, or never will be. */
  async drained(): Promise<Written> {
    if (!this.#lost && this.hasWork) await new Promise<void>((resolve) => this.#idle.push(resolve));
    return this.#lost ? 'lost' : 'written';
  }

  /** The frozen call to make now; the same one again until it is `confirm`ed. */
  freeze(): Append {
    this.#sending ??= this.#compose();
    return this.#sending;
  }

  confirm(): void {
    this.#sending = null;
    if (!this.hasWork) this.#wake();
  }

  lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#sending = null;
    this.#tokens = [];
    this.#text = '';
    this.#end = null;
    this.#wake();
    this.onLost();
  }

  #compose(): Append {
    const events: GenerationEvent[] = [];
    if (this.#tokens.length > 0 || this.#text !== '') {
      events.push({ type: 'tokens', seq: ++this.lastSeq, tokens: this.#tokens, text: this.#text });
    }
    if (this.#end) events.push({ type: 'end', seq: ++this.lastSeq, ...this.#end.event });
    const append: Append = {
      generationId: this.generationId,
      fence: this.fence,
      ttlMs: streamTtlMs(this.#end ? 0 : this.deadlineMs),
      tokensAtMs: this.#tokensAtMs,
      settlementJson: this.#end?.settlementJson ?? null,
      entries: events.map((event) => ({ seq: event.seq, json: JSON.stringify(event) })),
    };
    this.#tokens = [];
    this.#tokensAtMs = null;
    this.#text = '';
    this.#end = null;
    return append;
  }

  #wake(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** The retention counts from the end; a generation that has not ended may take until its deadline. */
export const streamTtlMs = (deadlineMs: number): number =>
  Math.max(deadlineMs - Date.now(), 0) + STREAM_RETENTION_S * 1000;
