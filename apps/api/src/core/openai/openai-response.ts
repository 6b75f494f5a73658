/** The answers' shapes, exactly as OpenAI documents them. */
import type { FinishReason, TokenLogprob } from '@aril/contracts';
import type { Echo, Outcome, OutcomeChoice } from '../generations/events/collect.js';
import { chatLogprobs, completionLogprobs, echoLogprobs, type EchoLogprob } from './openai-logprobs.js';

/** Which of the two endpoints answers; they differ in names and in where the text sits. */
export type Flavour = 'chat' | 'completion';

export interface Head {
  flavour: Flavour;
  /** The first prompt's. */
  generationId: string;
  /** Seconds since the epoch. */
  created: number;
  /** As the caller wrote it. */
  model: string;
  /** How many choices each prompt has. */
  n: number;
}

export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

const id = (head: Head): string => `${head.flavour === 'chat' ? 'chatcmpl' : 'cmpl'}-${head.generationId}`;

/** Of all prompts together. */
function usageOf(parts: readonly Usage[]) {
  const sum = (key: keyof Usage): number => parts.reduce((total, part) => total + part[key], 0);
  const [prompt, completion] = [sum('promptTokens'), sum('completionTokens')];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum('cachedTokens') },
  };
}

const base = (head: Head, object: string) => ({
  id: id(head),
  object,
  created: head.created,
  model: head.model,
  system_fingerprint: null,
});

/** `outcomes`: one per prompt; their choices are numbered through. */
export function wholeAnswer(head: Head, outcomes: readonly Outcome[]): object {
  const chat = head.flavour === 'chat';
  const choices = outcomes.flatMap((outcome) => outcome.choices.map((choice) => ({ ...choice, prompt: outcome.prompt })));
  return {
    ...base(head, chat ? 'chat.completion' : 'text_completion'),
    choices: choices.map(chat ? chatChoice : completionChoice),
    usage: usageOf(outcomes),
  };
}

const chatChoice = ({ text, finishReason, logprobs }: OutcomeChoice, index: number): object => ({
  index,
  message: { role: 'assistant', content: text, refusal: null },
  logprobs: logprobs && chatLogprobs(logprobs),
  finish_reason: finishReason,
});

const completionChoice = ({ prompt, text, finishReason, logprobs }: OutcomeChoice & { prompt: Echo | null }, index: number): object => ({
  index,
  text: (prompt?.text ?? '') + text,
  logprobs: logprobs && completionLogprobs([...echoLogprobs(prompt), ...logprobs], 0),
  finish_reason: finishReason,
});

/**
 * The pieces of a streamed answer; a choice's number is its place among those of all prompts. With `include_usage` every piece but the last carries `usage: null`, as OpenAI's do,
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

  /** Completions only: the prompt, sent before the text of a choice. */
  echo(choice: number, prompt: Echo): object {
    const shown = prompt.logprobs && this.offsetLogprobs(choice, echoLogprobs(prompt));
    return this.piece(choice, { text: prompt.text, logprobs: shown });
  }

  text(choice: number, text: string, logprobs: readonly TokenLogprob[] | null): object {
    const shown = logprobs && this.logprobs(choice, logprobs);
    return this.piece(choice, { ...this.content(text), logprobs: shown });
  }

  finish(choice: number, finishReason: FinishReason): object {
    return this.piece(choice, { ...(this.head.flavour === 'chat' ? { delta: {} } : { text: '' }), finish_reason: finishReason });
  }

  /** After the finish, when asked for: no choice, only the count. */
  usage(parts: readonly Usage[]): object | null {
    if (!this.includeUsage) return null;
    return { ...base(this.head, this.object), choices: [], usage: usageOf(parts) };
  }

  private get object(): string {
    return this.head.flavour === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  }

  private content(text: string): object {
    return this.head.flavour === 'chat' ? { delta: { content: text } } : { text };
  }

  private logprobs(choice: number, logprobs: readonly TokenLogprob[]): object {
    return this.head.flavour === 'chat' ? chatLogprobs(logprobs) : this.offsetLogprobs(choice, logprobs);
  }

  private offsetLogprobs(choice: number, logprobs: readonly EchoLogprob[]): object {
    const offset = this.offsets.get(choice) ?? 0;
    this.offsets.set(choice, logprobs.reduce((end, { text }) => end + text.length, offset));
    return completionLogprobs(logprobs, offset);
  }

  private piece(index: number, content: object): object {
    const choice = { index, logprobs: null, finish_reason: null, ...content };
    return { ...base(this.head, this.object), choices: [choice], ...(this.includeUsage ? { usage: null } : {}) };
  }
}
