import { Transcript, type EndEvent, type FinishReason, type GenerationEvent, type PromptEvent, type TokenLogprob } from '@aril/contracts';
import type { EventFeed } from './event-feed.js';

export interface OutcomeChoice {
  text: string;
  finishReason: FinishReason;
  /** The stop string that ended it; null when none did, and when the stream it was in is gone. */
  stop: string | null;
  completionTokens: number;
  /** Of the completion tokens. */
  reasoningTokens: number;
  /** null when not asked for, and when the stream they were in is gone. */
  logprobs: TokenLogprob[] | null;
}

/** How a generation ended, and all its text. `finishReason` is that of the generation, not of the last choice. */
export interface Outcome extends Pick<EndEvent, 'finishReason' | 'promptTokens' | 'cachedTokens' | 'completionTokens' | 'reasoningTokens' | 'predictionTokens' | 'error'> {
  choices: OutcomeChoice[];
  /** null when its echo was not asked for, and when the stream it was in is gone. */
  prompt: Echo | null;
}

export type Echo = Pick<PromptEvent, 'text' | 'opening' | 'logprobs'>;

/** `n`: how many choices the generation has. */
export async function collect(feed: EventFeed, n: number): Promise<Outcome> {
  const transcript = new Transcript(n);
  const scored: GenerationEvent[] = [];
  let prompt: Echo | null = null;
  for await (const event of feed) {
    transcript.read(event);
    if (event.type === 'prompt') prompt = event;
    if (event.type === 'tokens' && event.logprobs) scored.push(event);
    if (event.type === 'end') return { ...outcomeOf(event, transcript, logprobsOf(scored, n)), prompt };
  }
  throw new Error('a feed ended without an end event');
}

/** By choice, one per token; null for a choice that has none. */
export function logprobsOf(events: readonly GenerationEvent[], n: number): (TokenLogprob[] | null)[] {
  const byChoice = Array.from({ length: n }, (): TokenLogprob[] => []);
  for (const event of events) {
    if (event.type === 'tokens') for (const logprob of event.logprobs ?? []) byChoice[event.choice]?.push(logprob);
  }
  return byChoice.map((logprobs) => (logprobs.length > 0 ? logprobs : null));
}

function outcomeOf(end: EndEvent, transcript: Transcript, logprobs: (TokenLogprob[] | null)[]): Omit<Outcome, 'prompt'> {
  const { finishReason, choices } = transcript;
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens, predictionTokens, error } = end;
  return {
    finishReason,
    promptTokens,
    cachedTokens,
    completionTokens,
    reasoningTokens,
    predictionTokens,
    error,
    choices: choices.map(({ text, tokens, reasoningTokens: thought, finishReason: reason, stop }, index) => ({
      text,
      finishReason: reason ?? finishReason,
      stop,
      completionTokens: tokens.length,
      reasoningTokens: thought,
      logprobs: logprobs[index] ?? null,
    })),
  };
}
