/** The answers' shapes, exactly as OpenAI documents them. */
import type { EndEvent, FinishReason, TokenLogprob } from '@aril/contracts';
import type { Outcome, OutcomeChoice } from '../generations/events/collect.js';
import { chatLogprobs, completionLogprobs } from './openai-logprobs.js';

/** Which of the two endpoints answers; they differ in names and in where the text sits. */
export type Flavour = 'chat' | 'completion';

export interface Head {
  flavour: Flavour;
  generationId: string;
  /** Seconds since the epoch. */
  created: number;
  /** As the caller wrote it. */
  model: string;
  /** How many choices there are. */
  n: number;
}

type Usage = Pick<EndEvent, 'promptTokens' | 'cachedTokens' | 'completionTokens'>;

const id = (head: Head): string => `${head.flavour === 'chat' ? 'chatcmpl' : 'cmpl'}-${head.generationId}`;

const usageOf = (usage: Usage) => ({
  prompt_tokens: usage.promptTokens,
  completion_tokens: usage.completionTokens,
  total_tokens: usage.promptTokens + usage.completionTokens,
  prompt_tokens_details: { cached_tokens: usage.cachedTokens },
});

const base = (head: Head, object: string) => ({
  id: id(head),
  object,
  created: head.created,
  model: head.model,
  system_fingerprint: null,
});

export function wholeAnswer(head: Head, outcome: Outcome): object {
  const chat = head.flavour === 'chat';
  return {
    ...base(head, chat ? 'chat.completion' : 'text_completion'),
    choices: outcome.choices.map(chat ? chatChoice : completionChoice),
    usage: usageOf(outcome),
  };
}

const chatChoice = ({ text, finishReason, logprobs }: OutcomeChoice, index: number): object => ({
  index,
  message: { role: 'assistant', content: text, refusal: null },
  logprobs: logprobs && chatLogprobs(logprobs),
  finish_reason: finishReason,
});

const completionChoice = ({ text, finishReason, logprobs }: OutcomeChoice, index: number): object => ({
  index,
  text,
  logprobs: logprobs && completionLogprobs(logprobs, 0),
  finish_reason: finishReason,
});

/**
 * The pieces of a streamed answer. With `include_usage` every piece but the last carries `usage: null`, as OpenAI's do,
 * so clients can tell that usage will come.
 */
export class ChunkBuilder {
  /** By choice: how long its text is so far, as its tokens count it. */
  private readonly offsets = new Map<number, number>();

  constructor(
    private readonly head: Head,
    private readonly includeUsage: boolean,
  ) {}

  /** Chat only: the piece that names the role, sent before any text. */
  opening(choice: number): object | null {
    return this.head.flavour === 'chat' ? this.piece(choice, { delta: { role: 'assistant', content: '' } }) : null;
  }

  text(choice: number, text: string, logprobs: readonly TokenLogprob[] | null): object {
    const shown = logprobs && this.logprobs(choice, logprobs);
    return this.piece(choice, { ...this.content(text), logprobs: shown });
  }

  finish(choice: number, finishReason: FinishReason): object {
    return this.piece(choice, { ...(this.head.flavour === 'chat' ? { delta: {} } : { text: '' }), finish_reason: finishReason });
  }

  /** After the finish, when asked for: no choice, only the count. */
  usage(usage: Usage): object | null {
    if (!this.includeUsage) return null;
    return { ...base(this.head, this.object), choices: [], usage: usageOf(usage) };
  }

  private get object(): string {
    return this.head.flavour === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  }

  private content(text: string): object {
    return this.head.flavour === 'chat' ? { delta: { content: text } } : { text };
  }

  private logprobs(choice: number, logprobs: readonly TokenLogprob[]): object {
    if (this.head.flavour === 'chat') return chatLogprobs(logprobs);
    const offset = this.offsets.get(choice) ?? 0;
    this.offsets.set(choice, logprobs.reduce((end, { text }) => end + text.length, offset));
    return completionLogprobs(logprobs, offset);
  }

  private piece(index: number, content: object): object {
    const choice = { index, logprobs: null, finish_reason: null, ...content };
    return { ...base(this.head, this.object), choices: [choice], ...(this.includeUsage ? { usage: null } : {}) };
  }
}
