/** The answers' shapes, exactly as OpenAI documents them. */
import type { FinishReason } from '@aril/contracts';

/** Which of the two endpoints answers; they differ in names and in where the text sits. */
export type Flavour = 'chat' | 'completion';

export interface Head {
  flavour: Flavour;
  generationId: string;
  /** Seconds since the epoch. */
  created: number;
  /** As the caller wrote it. */
  model: string;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
}

const id = (head: Head): string => `${head.flavour === 'chat' ? 'chatcmpl' : 'cmpl'}-${head.generationId}`;

const usageOf = (usage: Usage) => ({
  prompt_tokens: usage.promptTokens,
  completion_tokens: usage.completionTokens,
  total_tokens: usage.promptTokens + usage.completionTokens,
});

const base = (head: Head, object: string) => ({
  id: id(head),
  object,
  created: head.created,
  model: head.model,
  system_fingerprint: null,
});

export function wholeAnswer(head: Head, text: string, finishReason: FinishReason, usage: Usage): object {
  const common = { index: 0, logprobs: null, finish_reason: finishReason };
  const chat = head.flavour === 'chat';
  return {
    ...base(head, chat ? 'chat.completion' : 'text_completion'),
    choices: [chat ? { ...common, message: { role: 'assistant', content: text, refusal: null } } : { ...common, text }],
    usage: usageOf(usage),
  };
}

/**
 * One piece of a streamed answer. With `include_usage` every piece but the last carries `usage: null`, as OpenAI's do,
 * so clients can tell that usage will come.
 */
export class ChunkBuilder {
  private first = true;

  constructor(
    private readonly head: Head,
    private readonly includeUsage: boolean,
  ) {}

  /** Chat only: the piece that names the role, sent before any text. */
  opening(): object | null {
    return this.head.flavour === 'chat' ? this.piece('', null) : null;
  }

  text(text: string): object {
    return this.piece(text, null);
  }

  finish(finishReason: FinishReason): object {
    return this.piece(null, finishReason);
  }

  /** After the finish, when asked for: no choice, only the count. */
  usage(usage: Usage): object | null {
    if (!this.includeUsage) return null;
    return { ...base(this.head, this.object), choices: [], usage: usageOf(usage) };
  }

  private get object(): string {
    return this.head.flavour === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  }

  private piece(text: string | null, finishReason: FinishReason | null): object {
    const common = { index: 0, logprobs: null, finish_reason: finishReason };
    const choice = this.head.flavour === 'chat' ? { ...common, delta: this.delta(text) } : { ...common, text: text ?? '' };
    return { ...base(this.head, this.object), choices: [choice], ...(this.includeUsage ? { usage: null } : {}) };
  }

  private delta(text: string | null): object {
    if (text === null) return {};
    if (!this.first) return { content: text };
    this.first = false;
    return { role: 'assistant', content: text };
  }
}
