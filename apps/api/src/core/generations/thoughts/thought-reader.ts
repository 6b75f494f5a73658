/**
 * Tells the thought of an answer, `<think>…</think>`, from what follows it, as it arrives. The spaces around the marks are
 * neither's: templates write newlines there.
 */
import { overlap } from '../../../base/overlap.js';

const BEGIN = '<think>';
const END = '</think>';

export interface TextPiece {
  kind: 'text';
  text: string;
}
export interface ReasoningPiece {
  kind: 'reasoning';
  text: string;
}

/** Of what follows the thought, or of all of it. */
export interface PieceReader<Piece> {
  push(text: string): Piece[];
  end(): Piece[];
}

/** What follows the thought is text. */
export const TEXT: PieceReader<TextPiece> = {
  push: (text) => (text === '' ? [] : [{ kind: 'text', text }]),
  end: () => [],
};

export class ThoughtReader<Piece> {
  private where: 'start' | 'thought' | 'gap' | 'answer' = 'start';
  private thinks = false;
  /** Arrived and not told: what may turn out to be a mark, or spaces around one. */
  private held = '';
  private hasThought = false;

  constructor(private readonly answer: PieceReader<Piece>) {}

  /** `reasoningTokens` above 0: the answer has a thought, and what looks like the mark is it. */
  push(text: string, reasoningTokens = 0): (Piece | ReasoningPiece)[] {
    if (reasoningTokens > 0) this.thinks = true;
    if (this.where === 'answer') return this.answer.push(text);
    this.held += text;
    if (this.where === 'start') return this.readStart();
    return this.where === 'thought' ? this.readThought() : this.readGap();
  }

  end(): (Piece | ReasoningPiece)[] {
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
    return begun !== BEGIN && BEGIN.startsWith(begun) ? [] : this.enterAnswer(this.held);
  }

  private readThought(): (Piece | ReasoningPiece)[] {
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
