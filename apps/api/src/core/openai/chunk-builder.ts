/** Streamed chats and completions in OpenAI's shape. */
import type { FinishReason, TokenLogprob } from '@aril/contracts';
import type { Echo } from '../generations/events/collect.js';
import { chatLogprobs, completionLogprobs, echoLogprobs, type EchoLogprob } from './openai-logprobs.js';
import { base, finishOf, usageOf, type Head, type Usage } from './openai-response.js';
import { readerOf, type PieceReader } from './reasoning/piece-reader.js';
import type { AnswerPiece } from './tools/answer-reader.js';
import { toolCallId } from './tools/tool-call-id.js';

/** What arrives of a choice. */
interface Piece {
  text: string;
  logprobs?: readonly TokenLogprob[] | null;
  reasoningTokens?: number | undefined;
}

/**
 * The pieces of a streamed answer; a choice's number is its place among those of all prompts. With `include_usage` every
 * piece but the last carries `usage: null`, as OpenAI's do, so clients can tell that usage will come.
 */
export class ChunkBuilder {
  /** By choice: how long its text is so far, as its tokens count it. */
  private readonly offsets = new Map<number, number>();
  /** By choice; of chats. */
  private readonly readers = new Map<number, PieceReader>();
  /** By choice: how many calls there have been. */
  private readonly calls = new Map<number, number>();

  constructor(
    private readonly head: Head,
    private readonly includeUsage: boolean,
  ) {}

  /** Chat only: the piece that names the role, sent before any text. With tools there may be none, and "" would be one. */
  opening(choice: number): object | null {
    const { flavour, tools } = this.head;
    return flavour === 'chat' ? this.piece(choice, { delta: { role: 'assistant', content: tools ? null : '' } }) : null;
  }

  /** Completions only: the prompt, sent before the text of a choice. */
  echo(choice: number, prompt: Echo): object {
    const shown = prompt.logprobs && this.offsetLogprobs(choice, echoLogprobs(prompt));
    return this.piece(choice, { text: prompt.text, logprobs: shown });
  }

  /** What a piece of the answer comes to: none until it is known what it is, or several. */
  text(choice: number, { text, logprobs = null, reasoningTokens = 0 }: Piece): object[] {
    const shown = logprobs && this.logprobs(choice, logprobs);
    const contents = this.readerOf(choice)?.push(text, reasoningTokens).map((piece) => this.delta(choice, piece)) ?? [this.content(text)];
    const [first = this.nothing, ...others] = contents;
    if (contents.length === 0 && !shown) return [];
    return [this.piece(choice, { ...first, logprobs: shown }), ...others.map((content) => this.piece(choice, content))];
  }

  /** The last of the answer, if anything was held back, and why it ended. */
  finish(choice: number, finishReason: FinishReason): object[] {
    const reader = this.readerOf(choice);
    const left = reader?.end().map((piece) => this.piece(choice, this.delta(choice, piece))) ?? [];
    const reason = finishOf(finishReason, this.head.tools, this.calls.get(choice) ?? 0);
    return [...left, this.piece(choice, { ...this.nothing, finish_reason: reason })];
  }

  /** After the finish, when asked for: no choice, only the count. */
  usage(parts: readonly Usage[]): object | null {
    if (!this.includeUsage) return null;
    return { ...base(this.head, this.object), choices: [], usage: usageOf(parts) };
  }

  private get object(): string {
    return this.head.flavour === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  }

  private get nothing(): object {
    return this.head.flavour === 'chat' ? { delta: {} } : { text: '' };
  }

  private content(text: string): object {
    return this.head.flavour === 'chat' ? { delta: { content: text } } : { text };
  }

  private readerOf(choice: number): PieceReader | null {
    const { flavour, tools } = this.head;
    if (flavour !== 'chat') return null;
    const reader = this.readers.get(choice) ?? readerOf(tools);
    this.readers.set(choice, reader);
    return reader;
  }

  /** A call is opened with its id and name; after that only arguments come. */
  private delta(choice: number, piece: AnswerPiece): object {
    if (piece.kind === 'text') return this.content(piece.text);
    if (piece.kind === 'reasoning') return { delta: { reasoning_content: piece.text } };
    const { index } = piece;
    this.calls.set(choice, index + 1);
    const opening = { id: toolCallId(this.head.generationId, choice, index), type: 'function' };
    const call = piece.kind === 'call' ? { index, ...opening, function: { name: piece.name, arguments: '' } } : { index, function: { arguments: piece.text } };
    return { delta: { tool_calls: [call] } };
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
