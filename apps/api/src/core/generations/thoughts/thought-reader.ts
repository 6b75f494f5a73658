/**
 * Tells the thoughts of an answer from the rest of it, as it arrives: one that it begins with, `<think>…</think>`, or those
 * of an answer in channels. The spaces around the marks are neither's: templates write newlines there.
 */
import { overlap } from '../../../base/overlap.js';
import { ChannelReader, type Recipients } from './channel-reader.js';
import type { PieceReader, ReasoningPiece } from './pieces.js';

const BEGIN = '<think>';
const END = '</think>';
/** Gemma 4's name of the channel, in whose place its marks are told as those: no word of the thought. */
const NAME = 'thought\n';

/** How an answer in channels begins: in a header that the prompt has begun. */
const CHANNELS = /^(to=[^\s\u0001-\u0005]{0,128}\s*)?[\u0001-\u0005]/;
/** What may become that. */
const BEFORE_CHANNELS = /^(to?|to=[^\s\u0001-\u0005]{0,128}\s*)$/;

export class ThoughtReader<Piece> {
  private where: 'start' | 'thought' | 'gap' | 'answer' | 'channels' = 'start';
  private thinks = false;
  /** Arrived and not told: what may turn out to be a mark, or spaces around one. */
  private held = '';
  private hasThought = false;
  /** Whether it is known if its name stands before it. */
  private isNamed = false;

  private readonly channels: ChannelReader<Piece>;

  /** `answer`: of what follows a thought, or of all there is. `text`, `recipients`: of an answer in channels. */
  constructor(
    private readonly answer: PieceReader<Piece>,
    text: PieceReader<Piece>,
    recipients: Recipients<Piece>,
  ) {
    this.channels = new ChannelReader(text, recipients);
  }

  /** `reasoningTokens` above 0: the answer has a thought, or channels, and what looks like a mark is one. */
  push(text: string, reasoningTokens = 0): (Piece | ReasoningPiece)[] {
    if (reasoningTokens > 0) this.thinks = true;
    if (this.where === 'answer') return this.answer.push(text);
    if (this.where === 'channels') return this.channels.push(text);
    this.held += text;
    if (this.where === 'start') return this.readStart();
    return this.where === 'thought' ? this.readThought() : this.readGap();
  }

  end(): (Piece | ReasoningPiece)[] {
    if (this.where === 'channels') return this.channels.end();
    const left = this.where === 'thought' ? this.tell(this.held.trimEnd()) : [];
    const rest = this.where === 'start' ? this.answer.push(this.held) : [];
    return [...left, ...rest, ...this.answer.end()];
  }

  private readStart(): (Piece | ReasoningPiece)[] {
    const begun = this.held.trimStart();
    if (this.thinks && begun.startsWith(BEGIN)) {
      this.where = 'thought';
      this.held = begun.slice(BEGIN.length);
      return this.readThought();
    }
    if (this.thinks && CHANNELS.test(begun)) {
      this.where = 'channels';
      return this.channels.push(this.held);
    }
    const mayBecome = (begun !== BEGIN && BEGIN.startsWith(begun)) || BEFORE_CHANNELS.test(begun);
    return mayBecome ? [] : this.enterAnswer(this.held);
  }

  private readThought(): (Piece | ReasoningPiece)[] {
    if (!this.isNamed && this.held.length < NAME.length && NAME.startsWith(this.held)) return [];
    if (!this.isNamed && this.held.startsWith(NAME)) this.held = this.held.slice(NAME.length);
    this.isNamed = true;
    if (!this.hasThought) this.held = this.held.trimStart();
    const at = this.held.indexOf(END);
    const known = this.held.slice(0, at < 0 ? this.held.length - overlap(this.held, END) : at);
    const text = known.trimEnd();
    this.held = at < 0 ? this.held.slice(text.length) : this.held.slice(at + END.length);
    if (at >= 0) this.where = 'gap';
    return [...this.tell(text), ...(at < 0 ? [] : this.readGap())];
  }

  private readGap(): (Piece | ReasoningPiece)[] {
    const rest = this.held.trimStart();
    return rest === '' ? [] : this.enterAnswer(rest);
  }

  private enterAnswer(text: string): (Piece | ReasoningPiece)[] {
    this.where = 'answer';
    this.held = '';
    return this.answer.push(text);
  }

  private tell(text: string): ReasoningPiece[] {
    if (text === '') return [];
    this.hasThought = true;
    return [{ kind: 'reasoning', text }];
  }
}
