/**
 * Tells the calls of an answer from its text, as it arrives. Models write calls in few ways: in `<tool_call>` tags
 * anywhere (Hermes, Qwen, SmolLM), or as the whole answer, one object or a list of them, with or without a mark in front
 * (Llama, Mistral, and whatever a constraint of ours made write), or a name and its arguments (newer ones of Mistral, and
 * others in tags of their own: `call-forms.ts`).
 * All are read, whichever the model: what names no function that the caller has offered stays text.
 */
import { overlap } from '../../../base/overlap.js';
import type { ReasoningPiece, TextPiece } from '../../generations/thoughts/pieces.js';
import { FREE_CLOSINGS, FREE_FORMS, FREE_JSON_OPENINGS, FREE_OPENINGS, GEMMA, NAMED, type CallForm } from './call-forms.js';
import { ArgumentsReader, CallReader, type CallPiece } from './call-reader.js';
import { GEMMA_CALL_END } from './gemma-arguments.js';
import type { OfferedTool, OfferedTools } from './offered-tools.js';
import { anyOf, firstOf, headLength } from './text-marks.js';

export type AnswerPiece = TextPiece | ReasoningPiece | (CallPiece & { index: number });

const OPEN = '<tool_call>';
/** In front of calls. */
const MARKS = ['<|python_tag|>', '[TOOL_CALLS]'];
/** Between calls, and after the last. */
const CLOSE = '</tool_call>';
/** In front of a call of Gemma 4's. */
const GEMMA_OPEN = '<|tool_call>';
const CLOSINGS = [CLOSE, GEMMA_CALL_END, ...FREE_CLOSINGS];
/** What an object may follow at once. */
const JSON_OPENINGS = [OPEN, GEMMA_OPEN, ...MARKS];
const BETWEEN = new RegExp(`^(?:[\\s,;\\]]|${anyOf([...CLOSINGS, ...MARKS])})+`);

export type Offered = Pick<OfferedTools, 'tools' | 'parallel' | 'duty' | 'isConstrained'>;
type Where = 'start' | 'text' | 'call' | 'between' | 'over';
/** One that is too long is none either way. */
const NAME = /^[\w-]{0,65}/;

export class AnswerReader {
  private where: Where = 'start';
  /** Arrived and not told: what may turn out to be the beginning of a call. */
  private held = '';
  /** What is in front of the call that is being read: text, if that turns out to be none. */
  private lead = '';
  private call: CallReader | ArgumentsReader | null = null;
  private calls = 0;
  /** How another call may begin behind the last. */
  private others: readonly CallForm[] = [];
  /** Whether a mark stands right before what is read. */
  private isMarked = false;
  private readonly names: ReadonlySet<string>;
  /** The answer was free in all but the calls that the engine's constraint knows, so no other form is taken for one. */
  private readonly isStrict: boolean;
  private readonly openings: readonly string[];
  private readonly jsonOpenings: readonly string[];
  private readonly opening: RegExp;
  private readonly forms: readonly CallForm[];

  constructor(private readonly offered: Offered) {
    this.names = new Set(offered.tools.map(({ name }) => name));
    this.isStrict = offered.duty === 'auto' && offered.tools.some(({ strict }) => strict);
    const isFree = offered.duty === 'auto' && !this.isStrict && !offered.isConstrained;
    this.openings = isFree ? [...JSON_OPENINGS, ...FREE_OPENINGS] : JSON_OPENINGS;
    this.jsonOpenings = isFree ? [...JSON_OPENINGS, ...FREE_JSON_OPENINGS] : JSON_OPENINGS;
    this.opening = new RegExp(anyOf(this.openings));
    this.forms = isFree ? [GEMMA, ...FREE_FORMS] : [GEMMA];
  }

  push(text: string): AnswerPiece[] {
    this.held += text;
    const pieces: AnswerPiece[] = [];
    for (let before = ''; this.held !== '' && before !== this.place; ) {
      before = this.place;
      pieces.push(...this.step());
    }
    return joined(pieces);
  }

  /** After the last text. Of an answer that must be a call, what is left is the beginning of one that was cut. */
  end(): AnswerPiece[] {
    const told = (this.call?.end() ?? []).map((piece) => this.numbered(piece));
    const left = this.lead + (this.call?.unread ?? '') + this.held;
    [this.lead, this.held, this.call] = ['', '', null];
    const isText = this.offered.duty === 'auto' && this.where !== 'over' && !(this.where === 'between' && this.beginsMark(left));
    return isText ? [...told, ...textPieces(left)] : told;
  }

  private beginsMark(text: string): boolean {
    return [...CLOSINGS, ...this.openings].some((one) => one.startsWith(text));
  }

  /** A step that leaves it as it was waits for more. */
  private get place(): string {
    return `${this.where} ${this.held.length}`;
  }

  private step(): AnswerPiece[] {
    switch (this.where) {
      case 'start':
        return this.readStart();
      case 'text':
        return this.readText();
      case 'call':
        return this.readCall();
      case 'between':
        return this.readBetween();
      case 'over':
        this.held = '';
        return [];
    }
  }

  /** Spaces and marks, and then a call or text. */
  private readStart(): AnswerPiece[] {
    const opening = /^[\s[]*/.exec(this.held)?.[0] ?? '';
    const mark = MARKS.find((one) => this.held.trimStart().startsWith(one));
    if (mark !== undefined) {
      this.isMarked = true;
      return this.skip(this.held.indexOf(mark) + mark.length);
    }
    const named = this.readName(this.held);
    if (named) return named;
    const rest = this.held.slice(opening.length);
    if (rest.startsWith('{') && !opening.trimStart().includes('[[')) return this.enter(opening);
    const trimmed = this.held.trimStart();
    if (this.openings.some((one) => trimmed.startsWith(one))) this.held = trimmed;
    else if ([...this.openings, '['].some((one) => one.startsWith(trimmed)) || rest === '') return [];
    this.where = 'text';
    return this.readText();
  }

  /** A name with its arguments, which `text` begins with; nothing yet, where it may become one; null: it is none. */
  private readName(text: string): AnswerPiece[] | null {
    return this.isStrict && !this.isMarked ? null : this.readForms(text, [NAMED]);
  }

  private readForms(text: string, forms: readonly CallForm[]): AnswerPiece[] | null {
    for (const form of forms) {
      for (const head of form.heads) {
        const found = this.findName(text, head, form.next);
        if (found === 'more') return [];
        if (!found) continue;
        this.others = form.others ? [form.others] : this.others;
        return this.enter(this.held.slice(0, this.held.length - text.length + found.end), new ArgumentsReader(found.tool.name, form.argumentsOf(found.tool.parameters)));
      }
    }
    return null;
  }

  /** `end`: of what stands before the arguments. */
  private findName(text: string, [before, after]: CallForm['heads'][number], next: CallForm['next']): { tool: OfferedTool; end: number } | 'more' | null {
    const start = headLength(text, before);
    if (typeof start !== 'number') return start;
    const name = NAME.exec(text.slice(start))?.[0] ?? '';
    const end = start + name.length;
    const { tools } = this.offered;
    if (end === text.length) return tools.some((tool) => tool.name.startsWith(name)) ? 'more' : null;
    const tool = this.names.has(name) ? tools.find((one) => one.name === name) : undefined;
    if (!tool) return null;
    const rest = text.slice(end);
    const lengths = next.map((one) => headLength(rest, after + one));
    if (lengths.some((length) => typeof length === 'number')) return { tool, end: end + Number(headLength(rest, after)) };
    return lengths.includes('more') ? 'more' : null;
  }

  private readText(): AnswerPiece[] {
    const [at, mark] = firstOf(this.opening, this.held) ?? [-1, ''];
    if (at < 0) return this.tellText(this.held.length - Math.max(...this.openings.map((one) => overlap(this.held, one))));
    if (at > 0) return this.tellText(at);
    const after = this.held.slice(mark.length);
    const opening = /^[\s[]*/.exec(after)?.[0] ?? '';
    if (opening.length === after.length) return [];
    if (this.jsonOpenings.includes(mark) && after.slice(opening.length).startsWith('{')) return this.enter(mark + opening);
    this.isMarked = MARKS.includes(mark);
    return (this.isMarked ? this.readName(after) : this.readForms(this.held, this.forms)) ?? this.tellText(mark.length);
  }

  /** `lead`: what is in front of the call's brace, or of its first tag. */
  private enter(lead: string, reader: CallReader | ArgumentsReader = new CallReader(this.names, this.isStrict)): AnswerPiece[] {
    this.lead = lead;
    this.isMarked = false;
    this.where = 'call';
    this.call = reader;
    return this.skip(lead.length);
  }

  private readCall(): AnswerPiece[] {
    const { state, pieces, rest } = this.call?.push(this.held) ?? { state: 'none', pieces: [], rest: this.held };
    const told = pieces.map((piece) => this.numbered(piece));
    this.held = rest;
    if (told.length > 0) this.lead = '';
    if (state === 'more') return told;
    this.call = null;
    if (state === 'none') return this.giveUp();
    this.where = this.offered.parallel ? 'between' : 'over';
    return told;
  }

  /** It looked like a call: what of it is in the way of the next one is text. */
  private giveUp(): AnswerPiece[] {
    this.where = 'text';
    const text = this.lead + this.held.slice(0, 1);
    this.lead = '';
    this.held = this.held.slice(1);
    return textPieces(text);
  }

  private readBetween(): AnswerPiece[] {
    const between = BETWEEN.exec(this.held)?.[0] ?? '';
    if (MARKS.some((one) => between.includes(one))) this.isMarked = true;
    if ([']', ...CLOSINGS].some((one) => between.includes(one))) this.others = [];
    this.skip(between.length);
    const named = this.readForms(this.held, this.others) ?? this.readName(this.held);
    if (named) return named;
    if (this.held.startsWith('{')) return this.enter('');
    if (this.beginsMark(this.held)) return [];
    this.others = [];
    this.where = 'text';
    return this.readText();
  }

  private numbered(piece: CallPiece): AnswerPiece {
    if (piece.kind === 'call') this.calls++;
    return { ...piece, index: this.calls - 1 };
  }

  private tellText(length: number): AnswerPiece[] {
    const text = this.held.slice(0, length);
    this.skip(length);
    return textPieces(text);
  }

  private skip(length: number): AnswerPiece[] {
    this.held = this.held.slice(length);
    return [];
  }
}

const textPieces = (text: string): AnswerPiece[] => (text === '' ? [] : [{ kind: 'text', text }]);

/** Texts that follow each other are one piece. */
function joined(pieces: readonly AnswerPiece[]): AnswerPiece[] {
  return pieces.reduce<AnswerPiece[]>((all, piece) => {
    const last = all.at(-1);
    if (last?.kind === 'text' && piece.kind === 'text') return [...all.slice(0, -1), { kind: 'text', text: last.text + piece.text }];
    return [...all, piece];
  }, []);
}
