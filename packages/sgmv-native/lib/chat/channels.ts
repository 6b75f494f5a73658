/**
 * Answers in channels, as gpt-oss writes them (OpenAI's harmony format): messages, each with a header that says whether it
 * is a thought, a text or a call, between special tokens that nothing else spells.
 */
import type { TokenizerJson } from '../vocabulary.js';

/**
 * What a text has in place of the special tokens: characters that no text needs and no string of JSON may hold. Written
 * out as their names they could not be told from the same names in a text.
 */
export const START = '\u0001';
export const CHANNEL = '\u0002';
export const MESSAGE = '\u0003';
export const CONSTRAIN = '\u0004';
export const END = '\u0005';

const MARKS: Readonly<Record<string, string>> = { '<|start|>': START, '<|channel|>': CHANNEL, '<|message|>': MESSAGE, '<|constrain|>': CONSTRAIN, '<|end|>': END };
const NEEDED: readonly string[] = ['<|start|>', '<|channel|>', '<|message|>', '<|end|>'];
/** They end an answer; the model's files may name only one of them. */
const LAST: readonly string[] = ['<|return|>', '<|call|>'];
/** As bytes. */
const LOWEST = START.charCodeAt(0);
const HIGHEST = END.charCodeAt(0);

export interface ChannelTokens {
  /** By id, what stands for it in a text. */
  marks: ReadonlyMap<number, string>;
  /** Ids that end an answer. */
  last: readonly number[];
}

/** Whether a chat template writes messages in channels. */
export const writesChannels = (source: string): boolean => source.includes('<|channel|>') && source.includes('<|message|>');

/** null: the tokenizer has no such tokens, or spells them. */
export function findChannelTokens({ added_tokens: added = [] }: TokenizerJson): ChannelTokens | null {
  const ids = new Map(added.filter(({ special }) => special).map(({ id, content }) => [content, id]));
  if (!NEEDED.every((name) => ids.has(name))) return null;
  const known = Object.entries(MARKS).flatMap(([name, mark]): [number, string][] => {
    const id = ids.get(name);
    return id === undefined ? [] : [[id, mark]];
  });
  return { marks: new Map(known), last: LAST.flatMap((name) => ids.get(name) ?? []) };
}

/** A vocabulary in which the marks have their characters, and nothing else has them. */
export function withMarks(vocabulary: readonly (Uint8Array | null)[], { marks }: ChannelTokens): (Uint8Array | null)[] {
  return vocabulary.map((bytes, id) => {
    const mark = marks.get(id);
    return mark === undefined ? bytes && withoutMarks(bytes) : Buffer.from(mark);
  });
}

const REPLACED = Buffer.from('\ufffd');

function withoutMarks(bytes: Uint8Array): Uint8Array {
  const isMark = (byte: number): boolean => byte >= LOWEST && byte <= HIGHEST;
  return bytes.some(isMark) ? Uint8Array.from([...bytes].flatMap((byte) => (isMark(byte) ? [...REPLACED] : [byte]))) : bytes;
}

/** Without the characters of marks. */
export const markless = (text: string): string => text.replace(/[\u0001-\u0005]/g, '');

/** Whether an answer in channels comes after these tokens, the prompt's last: where its assistant's turn has just begun. */
export function channelsAfter(tokens: readonly number[], { marks }: ChannelTokens, textOf: (tokens: readonly number[]) => string): boolean {
  const at = tokens.findLastIndex((token) => marks.has(token));
  return at >= 0 && marks.get(tokens[at] ?? -1) === START && textOf(tokens.slice(at + 1)).trim() === 'assistant';
}

/** A header may say first to whom, where the prompt has begun it. */
const BEGUN = /^(to?|to=\S{0,128}\s*)?$/;

/**
 * Tells of the tokens of one completion in channels which are of thoughts: all of their messages, and the first header,
 * whatever it begins, so that an answer in channels is known by them.
 */
export class ChannelMeter {
  private where: 'before' | 'header' | 'thought' | 'speech' | 'plain' = 'before';
  private header = '';
  /** Tokens of a header that may be a thought's. */
  private undecided = 0;
  private hasSpoken = false;

  constructor(
    private readonly marks: ReadonlyMap<number, string>,
    private readonly bytesOf: (token: number) => Uint8Array | null,
  ) {}

  /** Whether it is none: the answer began as a text. Its marks are nothing. */
  get isPlain(): boolean {
    return this.where === 'plain';
  }

  /** How many more are known to be. */
  read(tokens: readonly number[]): number {
    return tokens.reduce((count, token) => count + this.readToken(token), 0);
  }

  private readToken(token: number): number {
    const mark = this.marks.get(token);
    switch (this.where) {
      case 'plain':
        return 0;
      case 'before':
        return mark === undefined ? this.readBefore(token) : this.readHeader(token, mark);
      case 'header':
        return this.readHeader(token, mark);
      case 'thought':
      case 'speech':
        return this.readBody(mark);
    }
  }

  private readBefore(token: number): number {
    this.undecided += 1;
    this.header += this.textOf(token);
    const begun = this.header.trimStart();
    if (!BEGUN.test(begun)) this.where = 'plain';
    return 0;
  }

  private readHeader(token: number, mark: string | undefined): number {
    this.where = 'header';
    this.undecided += 1;
    if (mark === MESSAGE) return this.enterBody();
    if (mark === START || mark === END) this.header = '';
    else this.header += mark ?? this.textOf(token);
    return this.hasSpoken ? 0 : this.decided();
  }

  private enterBody(): number {
    const isThought = isThoughtHeader(this.header);
    this.where = isThought ? 'thought' : 'speech';
    const count = this.decided();
    const isFirst = !this.hasSpoken;
    if (!isThought) this.hasSpoken = true;
    return isThought || isFirst ? count : 0;
  }

  private readBody(mark: string | undefined): number {
    const isThought = this.where === 'thought';
    if (mark === END || mark === START || mark === CHANNEL) {
      this.where = 'header';
      this.header = mark === CHANNEL ? CHANNEL : '';
      this.undecided = isThought || mark === END ? 0 : 1;
    }
    return isThought ? 1 : 0;
  }

  private decided(): number {
    const count = this.undecided;
    this.undecided = 0;
    return count;
  }

  private textOf(token: number): string {
    return Buffer.from(this.bytesOf(token) ?? []).toString('latin1');
  }
}

/** What is thought to a tool of the model's own is thought too; functions are called. */
const isThoughtHeader = (header: string): boolean => /\u0002\s*analysis[^\u0002]*$/.test(header) && !header.includes('to=functions.');
