/**
 * Tells thoughts, texts and calls of an answer in channels, as it arrives. Models write headers in several ways and now and
 * then wrongly, so little is asked of one: that it names the channel of thoughts, or whom it is to; all else is text.
 */
import { CHANNEL_MARKS } from '@aril/contracts';
import type { PieceReader, ReasoningPiece } from './pieces.js';

const { START, MESSAGE, END } = CHANNEL_MARKS;
/** The channel of thoughts, by the last that a header names. */
const THOUGHTS = /\u0002\s*analysis[^\u0002]*$/;
/** Of what follows a header: it has ended, or another header begins without that. */
const BODY_END = /[\u0001\u0002\u0005]/;
/** In the place of the text: nothing is said by them. */
const STRAY = /[\u0003\u0004]/g;
const CALLED = 'functions.';
/** Of a longer one the rest says nothing. */
const HEADER_LENGTH_MAX = 512;

/** Who reads what is said to a recipient; null: it is for nobody that is known. */
export type Recipients<Piece> = (name: string) => PieceReader<Piece> | null;

export class ChannelReader<Piece> {
  /** Of a header, up to here; the first has begun in the prompt. */
  private header = '';
  private body: PieceReader<Piece | ReasoningPiece> | null = null;

  /** Messages of a kind are told as one text, apart from each other. */
  private readonly thoughts = new Apart<ReasoningPiece>({ push: (text) => [{ kind: 'reasoning', text }], end: () => [] });
  private readonly texts: PieceReader<Piece>;

  constructor(
    text: PieceReader<Piece>,
    private readonly recipients: Recipients<Piece>,
  ) {
    this.texts = new Apart(text);
  }

  push(text: string): (Piece | ReasoningPiece)[] {
    const pieces: (Piece | ReasoningPiece)[] = [];
    for (let rest: string | null = text; rest; ) {
      const step: Step<Piece | ReasoningPiece> = this.body ? this.readBody(rest, this.body) : this.readHeader(rest);
      pieces.push(...step.pieces);
      rest = step.rest;
    }
    return pieces;
  }

  /** A header that was cut tells nothing. */
  end(): (Piece | ReasoningPiece)[] {
    return this.body?.end() ?? [];
  }

  private readHeader(text: string): Step<Piece | ReasoningPiece> {
    const at = text.indexOf(MESSAGE);
    const told = at < 0 ? text : text.slice(0, at);
    // What was begun and has ended without a message is none.
    const begun = Math.max(told.lastIndexOf(START), told.lastIndexOf(END));
    this.header = (begun < 0 ? this.header + told : told.slice(begun + 1)).slice(0, HEADER_LENGTH_MAX);
    if (at < 0) return { pieces: [], rest: null };
    this.body = this.readerOf(this.header);
    this.header = '';
    return { pieces: [], rest: text.slice(at + 1) };
  }

  private readBody(text: string, body: PieceReader<Piece | ReasoningPiece>): Step<Piece | ReasoningPiece> {
    const at = text.search(BODY_END);
    const said = (at < 0 ? text : text.slice(0, at)).replace(STRAY, '');
    const pieces = said === '' ? [] : body.push(said);
    if (at < 0) return { pieces, rest: null };
    this.body = null;
    return { pieces: [...pieces, ...body.end()], rest: text.slice(at) };
  }

  private readerOf(header: string): PieceReader<Piece | ReasoningPiece> {
    const to = /to=([^\s\u0001-\u0005]+)/.exec(header)?.[1] ?? '';
    const called = to === '' ? null : this.recipients(to.startsWith(CALLED) ? to.slice(CALLED.length) : to);
    if (called) return called;
    return THOUGHTS.test(header) && !to.startsWith(CALLED) ? this.thoughts : this.texts;
  }
}

interface Step<Piece> {
  pieces: Piece[];
  /** null: all has been read. */
  rest: string | null;
}

/** Puts an empty line between the texts of messages. */
class Apart<Piece> implements PieceReader<Piece> {
  private hasText = false;
  private isNew = true;

  constructor(private readonly inner: PieceReader<Piece>) {}

  push(text: string): Piece[] {
    const before = this.isNew && this.hasText ? '\n\n' : '';
    this.hasText = true;
    this.isNew = false;
    return this.inner.push(before + text);
  }

  end(): Piece[] {
    this.isNew = true;
    return [];
  }
}
