import type { FinishReason, GenerationEvent } from './generation-stream.js';
import type { SettledChoice } from './settlement.js';

export interface ChoiceTranscript {
  text: string;
  tokens: number[];
  /** Of the tokens, those of its thought. */
  reasoningTokens: number;
  /** null: it goes on. */
  finishReason: FinishReason | null;
  /** The stop string that ended it. */
  stop: string | null;
}

/** What a generation's events add up to, choice by choice; of a stream that a runner died on, too. */
export class Transcript {
  readonly choices: ChoiceTranscript[];
  lastSeq = 0;
  /** Whether the prompt has been told. */
  echoed = false;
  ended = false;

  constructor(n: number) {
    this.choices = Array.from({ length: n }, () => ({ text: '', tokens: [], reasoningTokens: 0, finishReason: null, stop: null }));
  }

  static from(events: readonly GenerationEvent[], n: number): Transcript {
    const transcript = new Transcript(n);
    for (const event of events) transcript.read(event);
    return transcript;
  }

  read(event: GenerationEvent): void {
    this.lastSeq = event.seq;
    if (event.type === 'prompt') return void (this.echoed = true);
    if (event.type === 'tokens') return this.add(event.choice, event.tokens, event.text, event.reasoningTokens);
    // The end counts all choices: what no event before has told is its own choice's.
    const untold = event.type === 'end' ? (event.reasoningTokens ?? 0) - this.reasoningTokenCount : (event.reasoningTokens ?? 0);
    this.add(event.choice, [], event.text, Math.max(0, untold));
    this.choice(event.choice).stop = event.stop ?? null;
    if (event.type === 'choiceEnd') this.choice(event.choice).finishReason = event.finishReason;
    else this.end(event.finishReason);
  }

  add(choice: number, tokens: readonly number[], text: string, reasoningTokens = 0): void {
    const at = this.choice(choice);
    at.text += text;
    at.reasoningTokens += reasoningTokens;
    for (const token of tokens) at.tokens.push(token);
  }

  /** Ends every choice that goes on. */
  end(finishReason: FinishReason): void {
    this.ended = true;
    for (const choice of this.choices) choice.finishReason ??= finishReason;
  }

  choice(index: number): ChoiceTranscript {
    const found = this.choices[index];
    if (!found) throw new RangeError(`choice: found ${index}, expected one of ${this.choices.length}`);
    return found;
  }

  get tokenCount(): number {
    return this.choices.reduce((sum, { tokens }) => sum + tokens.length, 0);
  }

  get reasoningTokenCount(): number {
    return this.choices.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0);
  }

  /** An error or a cancellation of one choice is that of the generation; otherwise the first choice speaks for it. */
  get finishReason(): FinishReason {
    const reasons = this.choices.map(({ finishReason }) => finishReason);
    return reasons.find((reason) => reason === 'error') ?? reasons.find((reason) => reason === 'cancelled') ?? reasons[0] ?? 'error';
  }

  /** For the settlement: null where the first choice is all there is. */
  settledChoices(): SettledChoice[] | null {
    if (this.choices.length === 1) return null;
    return this.choices.map(({ text, tokens, reasoningTokens, finishReason }) => ({
      text,
      finishReason: finishReason ?? 'error',
      completionTokens: tokens.length,
      ...(reasoningTokens > 0 && { reasoningTokens }),
    }));
  }
}
