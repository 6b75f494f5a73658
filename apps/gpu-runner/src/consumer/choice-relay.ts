import type { TokenLogprob, Transcript } from '@aril/contracts';
import type { EngineEnd, EngineTokens, GenerationSink, PromptText } from '../engine/inference-engine.js';
import type { StreamChannel } from './stream-channel.js';

interface Place {
  /** What callers have seen so far, of all choices. */
  emitted: Transcript;
  channel: StreamChannel;
  /** What is to be told of the prompt; null: nothing. */
  prompt: (() => PromptText) | null;
  /** Aborted: nothing is passed on any more. */
  signal: AbortSignal;
  /** Called when the channel has something new to write. */
  onProgress: () => void;
  /** Called when a choice has ended and others go on. */
  onChoiceEnd: () => void;
  /** Whether an end that the engine calls cancelled was asked for; if not, the engine was closed. */
  wasCancelled: () => boolean;
}

/**
 * Passes on what the engine says of one request, choice by choice. Choices that ended under an earlier runner are
 * replayed by the engine and end at once; their callers know it already.
 */
export class ChoiceRelay implements GenerationSink {
  /**
   * The end that is the generation's: that of the last choice, the first failure, or one that nobody asked for. Its
   * `predictedTokens` are those of all choices that have ended.
   */
  readonly ended: Promise<EngineEnd>;
  #resolve!: (end: EngineEnd) => void;
  #over = false;
  #predicted = 0;

  constructor(private readonly place: Place) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** `logprobs` null: not asked for. Without effect where callers have it already, or do not want it. */
  onPrompt(logprobs: TokenLogprob[] | null): void {
    const { prompt, emitted, channel } = this.place;
    if (!prompt || emitted.echoed || this.#over || this.place.signal.aborted) return;
    emitted.echoed = true;
    channel.pushPrompt({ ...prompt(), logprobs });
  }

  onTokens({ choice, tokens, text, reasoningTokens, logprobs }: EngineTokens): void {
    if (!this.#isOpen(choice)) return;
    this.place.emitted.add(choice, tokens, text, reasoningTokens);
    this.place.channel.push({ choice, tokens, text, reasoningTokens, logprobs });
    this.place.onProgress();
  }

  onEnd(end: EngineEnd): void {
    this.#predicted += end.predictedTokens;
    if (!this.#isOpen(end.choice)) return;
    const { emitted, channel, onProgress, onChoiceEnd } = this.place;
    const cut = end.finishReason === 'cancelled' && !this.place.wasCancelled();
    const open = emitted.choices.filter(({ finishReason }) => finishReason === null).length;
    if (end.error || cut || open === 1) {
      this.#over = true;
      return this.#resolve({ ...end, predictedTokens: this.#predicted });
    }
    const { choice, text, finishReason, stop } = end;
    emitted.add(choice, [], text);
    emitted.choice(choice).finishReason = finishReason;
    channel.pushChoiceEnd(choice, { text, finishReason, stop });
    onProgress();
    onChoiceEnd();
  }

  #isOpen(choice: number): boolean {
    return !this.#over && !this.place.signal.aborted && this.place.emitted.choice(choice).finishReason === null;
  }
}
