/**
 * The items of an answer, its thought, text and calls in the order in which the model wrote them, and the events that tell how they
 * came to be. A streamed answer is its events, a whole one the items that are there at its end.
 */
import type { TokenLogprob } from '@aril/contracts';
import { scoredTokens } from '../openai-logprobs.js';
import type { AnswerPiece } from '../tools/answer-reader.js';
import { toolCallId } from '../tools/tool-call-id.js';

type Status = 'in_progress' | 'completed' | 'incomplete';
type Ended = Exclude<Status, 'in_progress'>;

interface TextPart {
  type: 'output_text';
  text: string;
  annotations: [];
  logprobs: object[];
}
interface ThoughtPart {
  type: 'reasoning_text';
  text: string;
}
interface MessageItem {
  type: 'message';
  id: string;
  status: Status;
  role: 'assistant';
  content: TextPart[];
}
/** As OpenAI has it for models whose thoughts are told as they are. */
interface ThoughtItem {
  type: 'reasoning';
  id: string;
  status: Status;
  summary: [];
  content: ThoughtPart[];
}
interface CallItem {
  type: 'function_call';
  id: string;
  status: Status;
  call_id: string;
  name: string;
  arguments: string;
}
export type OutputItem = MessageItem | ThoughtItem | CallItem;
export type OutputEvent = { type: string } & Record<string, unknown>;

export class ResponseOutput {
  readonly items: OutputItem[] = [];
  /** Of tokens that no text has been told of yet, or that are a call's. */
  private logprobs: object[] = [];

  constructor(private readonly generationId: string) {}

  /** What the next tokens come to, which may be nothing yet. */
  push(pieces: readonly AnswerPiece[], logprobs: readonly TokenLogprob[] | null): OutputEvent[] {
    // Not as arguments: a whole answer's are more than a call takes.
    for (const scored of scoredTokens(logprobs ?? [])) this.logprobs.push(scored);
    return pieces.flatMap((piece) => this.take(piece));
  }

  /** After the last piece. An answer without a word is an empty message. */
  end(status: Ended): OutputEvent[] {
    const opened = this.items.length === 0 ? this.open(this.newMessage()) : [];
    return [...opened, ...this.close(status)];
  }

  private take(piece: AnswerPiece): OutputEvent[] {
    switch (piece.kind) {
      case 'text':
        return this.takeText(piece.text);
      case 'reasoning':
        return this.takeThought(piece.text);
      case 'call':
        return [...this.close('completed'), ...this.open(this.newCall(piece.name, piece.index))];
      case 'arguments':
        return this.takeArguments(piece.text);
    }
  }

  private takeArguments(text: string): OutputEvent[] {
    const item = this.items.at(-1) as CallItem;
    item.arguments += text;
    return [{ type: 'response.function_call_arguments.delta', ...this.place(item), delta: text }];
  }

  private takeText(text: string): OutputEvent[] {
    const last = this.items.at(-1);
    const opened = last?.type === 'message' ? [] : [...this.close('completed'), ...this.open(this.newMessage())];
    const item = this.items.at(-1) as MessageItem;
    const [part] = item.content as [TextPart];
    const logprobs = this.logprobs.splice(0);
    part.text += text;
    for (const scored of logprobs) part.logprobs.push(scored);
    return [...opened, { type: 'response.output_text.delta', ...this.place(item), content_index: 0, delta: text, logprobs }];
  }

  /** Its log probabilities have no place. */
  private takeThought(text: string): OutputEvent[] {
    this.logprobs = [];
    const opened = this.items.at(-1)?.type === 'reasoning' ? [] : [...this.close('completed'), ...this.open(this.newThought())];
    const item = this.items.at(-1) as ThoughtItem;
    const [part] = item.content as [ThoughtPart];
    part.text += text;
    return [...opened, { type: 'response.reasoning_text.delta', ...this.place(item), content_index: 0, delta: text }];
  }

  private open(item: OutputItem): OutputEvent[] {
    this.items.push(item);
    const { item_id: _id, ...at } = this.place(item);
    if (item.type === 'function_call') return [{ type: 'response.output_item.added', ...at, item: { ...item } }];
    const added = { type: 'response.output_item.added', ...at, item: { ...item, content: [] } };
    const part = item.type === 'message' ? newText() : newThoughtPart();
    (item.content as object[]).push({ ...part });
    return [added, { type: 'response.content_part.added', ...this.place(item), content_index: 0, part }];
  }

  /** The item that is being written, if there is one. */
  private close(status: Ended): OutputEvent[] {
    const item = this.items.at(-1);
    if (item?.status !== 'in_progress') return [];
    item.status = status;
    const { item_id: _id, ...at } = this.place(item);
    const done = { type: 'response.output_item.done', ...at, item };
    if (item.type === 'function_call') {
      return [{ type: 'response.function_call_arguments.done', ...this.place(item), name: item.name, arguments: item.arguments }, done];
    }
    const [part] = item.content as [TextPart | ThoughtPart];
    const place = { ...this.place(item), content_index: 0 };
    const { type, text } = part;
    const told = type === 'output_text' ? { type: 'response.output_text.done', ...place, text, logprobs: part.logprobs } : { type: 'response.reasoning_text.done', ...place, text };
    return [told, { type: 'response.content_part.done', ...place, part }, done];
  }

  private place(item: OutputItem): { item_id: string; output_index: number } {
    return { item_id: item.id, output_index: this.items.indexOf(item) };
  }

  private newMessage(): MessageItem {
    return { type: 'message', id: `msg_${this.generationId}_${this.items.length}`, status: 'in_progress', role: 'assistant', content: [] };
  }

  private newThought(): ThoughtItem {
    return { type: 'reasoning', id: `rs_${this.generationId}_${this.items.length}`, status: 'in_progress', summary: [], content: [] };
  }

  private newCall(name: string, index: number): CallItem {
    const id = `fc_${this.generationId}_${this.items.length}`;
    return { type: 'function_call', id, status: 'in_progress', call_id: toolCallId(this.generationId, 0, index), name, arguments: '' };
  }
}

const newText = (): TextPart => ({ type: 'output_text', text: '', annotations: [], logprobs: [] });
const newThoughtPart = (): ThoughtPart => ({ type: 'reasoning_text', text: '' });
