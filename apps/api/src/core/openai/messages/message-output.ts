/**
 * The blocks of an answer, its thought, texts and calls in the order in which the model wrote them, and the events that tell
 * how they came to be. A streamed answer is its events, a whole one the blocks that are there at its end.
 */
import { parseJson } from '../../../base/parse-json.js';
import type { AnswerPiece } from '../tools/answer-reader.js';
import { toolCallId } from '../tools/tool-call-id.js';

type Block =
  | { type: 'text'; text: string; citations: null }
  | { type: 'thinking'; thinking: string; signature: '' }
  | { type: 'tool_use'; id: string; name: string; input: unknown };
export type MessageEvent = { type: string } & Record<string, unknown>;

export class MessageOutput {
  readonly blocks: Block[] = [];
  private isOpen = false;
  /** Of the call that is being written, as JSON. */
  private input = '';

  constructor(
    private readonly generationId: string,
    private readonly tellsThoughts: boolean,
  ) {}

  get hasCalls(): boolean {
    return this.blocks.some(({ type }) => type === 'tool_use');
  }

  push(pieces: readonly AnswerPiece[]): MessageEvent[] {
    return pieces.flatMap((piece) => this.take(piece));
  }

  /** The block that is being written, if there is one. What of a call was cut off cannot be told as an object. */
  close(): MessageEvent[] {
    const block = this.blocks.at(-1);
    if (!this.isOpen || !block) return [];
    if (block.type === 'tool_use') block.input = parseJson(this.input) ?? {};
    this.isOpen = false;
    return [{ type: 'content_block_stop', index: this.index }];
  }

  private take(piece: AnswerPiece): MessageEvent[] {
    switch (piece.kind) {
      case 'text':
        return this.takeText(piece.text);
      case 'reasoning':
        return this.tellsThoughts ? this.takeThought(piece.text) : [];
      case 'call':
        return this.open({ type: 'tool_use', id: toolCallId(this.generationId, 0, piece.index), name: piece.name, input: {} });
      case 'arguments':
        this.input += piece.text;
        return [this.delta({ type: 'input_json_delta', partial_json: piece.text })];
    }
  }

  private takeText(text: string): MessageEvent[] {
    const opened = this.current?.type === 'text' ? [] : this.open({ type: 'text', text: '', citations: null });
    if (this.current?.type === 'text') this.current.text += text;
    return [...opened, this.delta({ type: 'text_delta', text })];
  }

  private takeThought(text: string): MessageEvent[] {
    const opened = this.current?.type === 'thinking' ? [] : this.open({ type: 'thinking', thinking: '', signature: '' });
    if (this.current?.type === 'thinking') this.current.thinking += text;
    return [...opened, this.delta({ type: 'thinking_delta', thinking: text })];
  }

  private open(block: Block): MessageEvent[] {
    const closed = this.close();
    this.blocks.push(block);
    this.isOpen = true;
    this.input = '';
    return [...closed, { type: 'content_block_start', index: this.index, content_block: { ...block } }];
  }

  private delta(delta: object): MessageEvent {
    return { type: 'content_block_delta', index: this.index, delta };
  }

  private get current(): Block | undefined {
    return this.isOpen ? this.blocks.at(-1) : undefined;
  }

  private get index(): number {
    return this.blocks.length - 1;
  }
}
