import {
  STREAM_RETENTION_S,
  type ChoiceEndEvent,
  type EndEvent,
  type GenerationEvent,
  type PromptEvent,
  type TokenLogprob,
} from '@aril/contracts';
import type { EngineTokens } from '../engine/inference-engine.js';
import type { Append, StreamEntry } from '../redis/append-events.js';
import { StreamHistory } from './stream-history.js';

export type EndWithoutSeq = Omit<EndEvent, 'type' | 'seq'>;
type ChoiceEnd = Pick<ChoiceEndEvent, 'text' | 'finishReason' | 'stop'>;
export type PromptWithoutSeq = Omit<PromptEvent, 'type' | 'seq'>;

/** How writing the end of a generation turned out; `lost` = another runner owns it, or Redis lost it. */
export type Written = 'written' | 'lost';

interface Beginning {
  generationId: string;
  fence: number;
  takenAtMs: number;
  firstTokenAtMs: number | null;
  deadlineMs: number;
  /** All that is in the stream. */
  entries: readonly StreamEntry[];
  /** Called once when writing has become impossible. */
  onLost: () => void;
  /** Called when Redis had lost the stream and has it again. */
  onRestored: () => void;
}

/** What one choice still has to write. */
interface PendingChoice {
  tokens: number[];
  text: string;
  reasoningTokens: number;
  logprobs: TokenLogprob[] | null;
  end: ChoiceEnd | null;
}

/**
 * What one generation still has to write, in order. Tokens of a choice that pile up while a round trip is in flight
 * become one event. What is being sent is frozen: it is repeated in the same words until it is known to be there, and
 * afterwards too, should Redis lose it.
 */
export class StreamChannel {
  #prompt: PromptWithoutSeq | null = null;
  readonly #pending = new Map<number, PendingChoice>();
  #tokensAtMs: number | null = null;
  #firstTokenAtMs: number | null;
  #settlementJson: string | null = null;
  #end: { event: EndWithoutSeq; settlementJson: string } | null = null;
  #sending: Append | null = null;
  /** All is to be written again. */
  #restoring = false;
  /** What is being sent is all of it. */
  #isWhole = false;
  #lost = false;
  #idle: (() => void)[] = [];
  readonly #history = new StreamHistory();
  private lastSeq: number;
  readonly generationId: string;
  readonly fence: number;

  constructor(private readonly beginning: Beginning) {
    const { generationId, fence, entries, firstTokenAtMs } = beginning;
    this.generationId = generationId;
    this.fence = fence;
    this.lastSeq = entries.at(-1)?.seq ?? 0;
    this.#firstTokenAtMs = firstTokenAtMs;
    this.#history.add(entries);
  }

  /** Before anything else is pushed. */
  pushPrompt(event: PromptWithoutSeq): void {
    if (!this.#lost) this.#prompt = event;
  }

  push({ choice, tokens, text, reasoningTokens, logprobs }: EngineTokens): void {
    if (this.#lost) return;
    this.#tokensAtMs ??= Date.now();
    this.#firstTokenAtMs ??= this.#tokensAtMs;
    const pending = this.#of(choice);
    pending.tokens.push(...tokens);
    pending.text += text;
    pending.reasoningTokens += reasoningTokens;
    if (logprobs) (pending.logprobs ??= []).push(...logprobs);
  }

  /** For a choice that ends before the others; nothing of it may be pushed after. */
  pushChoiceEnd(choice: number, end: ChoiceEnd): void {
    if (!this.#lost) this.#of(choice).end = end;
  }

  pushEnd(event: EndWithoutSeq, settlementJson: string): void {
    if (!this.#lost) this.#end = { event, settlementJson };
  }

  get hasWork(): boolean {
    return this.#restoring || this.#sending !== null || this.#prompt !== null || this.#end !== null || this.#pending.size > 0;
  }

  /** Resolves when all that was pushed is in the stream, or never will be. */
  async drained(): Promise<Written> {
    if (!this.#lost && this.hasWork) await new Promise<void>((resolve) => this.#idle.push(resolve));
    return this.#lost ? 'lost' : 'written';
  }

  /** Everything is to be written again. False: it cannot be. */
  restore(): boolean {
    if (this.#lost || this.#isWhole || !this.#history.entries) return false;
    this.#restoring = true;
    return true;
  }

  /** The frozen call to make now; the same one again until it is `confirm`ed. */
  freeze(): Append {
    this.#sending ??= this.#compose();
    const { entries: written } = this.#history;
    this.#restoring &&= written !== null;
    this.#isWhole = this.#restoring;
    if (!this.#isWhole || !written) return this.#sending;
    const entries = [...written, ...this.#sending.entries];
    const { takenAtMs: wholeSince } = this.beginning;
    return { ...this.#sending, wholeSince, tokensAtMs: this.#firstTokenAtMs, settlementJson: this.#settlementJson, entries };
  }

  confirm(): void {
    this.#history.add(this.#sending?.entries ?? []);
    this.#sending = null;
    if (this.#isWhole) {
      this.#isWhole = this.#restoring = false;
      this.beginning.onRestored();
    }
    if (!this.hasWork) this.#wake();
  }

  lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#restoring = false;
    this.#sending = null;
    this.#prompt = null;
    this.#pending.clear();
    this.#end = null;
    this.#wake();
    this.beginning.onLost();
  }

  #compose(): Append {
    const events: GenerationEvent[] = this.#prompt ? [{ type: 'prompt', seq: ++this.lastSeq, ...this.#prompt }] : [];
    for (const [choice, pending] of this.#pending) events.push(...this.#eventsOf(choice, pending));
    if (this.#end) events.push({ type: 'end', seq: ++this.lastSeq, ...this.#end.event });
    this.#settlementJson ??= this.#end?.settlementJson ?? null;
    const append: Append = {
      generationId: this.generationId,
      fence: this.fence,
      ttlMs: streamTtlMs(this.#settlementJson === null ? this.beginning.deadlineMs : 0),
      tokensAtMs: this.#tokensAtMs,
      settlementJson: this.#end?.settlementJson ?? null,
      wholeSince: null,
      entries: events.map((event) => ({ seq: event.seq, json: JSON.stringify(event) })),
    };
    this.#prompt = null;
    this.#pending.clear();
    this.#tokensAtMs = null;
    this.#end = null;
    return append;
  }

  #eventsOf(choice: number, { tokens, text, reasoningTokens, logprobs, end }: PendingChoice): GenerationEvent[] {
    const events: GenerationEvent[] = [];
    if (tokens.length > 0 || text !== '') events.push({ type: 'tokens', seq: ++this.lastSeq, choice, tokens, text, ...(reasoningTokens > 0 && { reasoningTokens }), logprobs });
    if (end) events.push({ type: 'choiceEnd', seq: ++this.lastSeq, choice, ...end });
    return events;
  }

  #of(choice: number): PendingChoice {
    const pending = this.#pending.get(choice) ?? { tokens: [], text: '', reasoningTokens: 0, logprobs: null, end: null };
    this.#pending.set(choice, pending);
    return pending;
  }

  #wake(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** The retention counts from the end; a generation that has not ended may take until its deadline. */
export const streamTtlMs = (deadlineMs: number): number =>
  Math.max(deadlineMs - Date.now(), 0) + STREAM_RETENTION_S * 1000;
