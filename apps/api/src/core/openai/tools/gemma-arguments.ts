/**
 * The arguments of a call as Gemma 4 writes them, `{city:<|"|>Oslo<|"|>,days:3}`, as JSON while they arrive. What of it is
 * JSON already stays so: that is how a constraint makes the model write them. Nothing is refused: whatever it reads, the
 * JSON is one that goes on, and a whole one where the call has ended.
 */
import { overlap } from '../../../base/overlap.js';
import { parseJson } from '../../../base/parse-json.js';
import type { ArgumentsSource } from './call-reader.js';
import { HALF, inQuotes, jsonWord } from './json-words.js';

const QUOTE = '<|"|>';
/** Ends the call, wherever it stands but in a text. */
export const GEMMA_CALL_END = '<tool_call|>';
/** What a key or a number ends with. */
const KEY_END = /[:,}\]]|<tool_call\|>/;
const VALUE_END = /[,}\]]|<tool_call\|>/;
/** No key and no number is as long. */
const WORD_LENGTH_MAX = 1024;
const JSON_STRING = /^[^"\\]*(?:\\.[^"\\]*)*/s;

export class GemmaArguments implements ArgumentsSource {
  private held = '';
  /** What closes those that are open. */
  private readonly closers: ('}' | ']')[] = [];
  /** Whether the innermost has a member already. */
  private hasMember = false;
  /** Whether a key has no value yet. */
  private hasKey = false;
  /** What ends the text that is being read. */
  private quote: typeof QUOTE | '"' | null = null;
  private json = '';
  private isOver = false;

  /** From the first brace on. `rest`: what follows the arguments, null: they go on. */
  push(text: string): { json: string; rest: string | null } {
    this.held += text;
    this.json = '';
    let goesOn = true;
    while (goesOn && !this.isOver) goesOn = this.step();
    return { json: this.json, rest: this.isOver ? this.held : null };
  }

  /** False: it waits for more. */
  private step(): boolean {
    if (this.quote !== null) return this.readText(this.quote);
    this.held = this.held.trimStart();
    if (this.held === '') return false;
    if (this.held.startsWith(GEMMA_CALL_END)) return this.closeAll();
    if ([QUOTE, GEMMA_CALL_END].some((mark) => mark.startsWith(this.held))) return false;
    const first = this.held.charAt(0);
    if (first === '}' || first === ']') return this.close();
    if (first === ':') return this.skip(1);
    if (first === ',') return this.endMember();
    return this.closers.at(-1) === '}' && !this.hasKey ? this.readKey() : this.readValue(first);
  }

  private readKey(): boolean {
    const quote = [QUOTE, '"'].find((one) => this.held.startsWith(one)) ?? '';
    const word = this.held.slice(quote.length, quote.length + WORD_LENGTH_MAX);
    const at = quote === '' ? word.search(KEY_END) : quote === '"' ? jsonStringEnd(word) : word.indexOf(quote);
    if (at < 0 && word.length < WORD_LENGTH_MAX) return false;
    const key = at < 0 ? word : word.slice(0, at);
    const name = quote === '"' ? (parseJson(`"${key}"`) ?? key) : key.trim();
    this.json += `${this.hasMember ? ',' : ''}${JSON.stringify(name)}:`;
    this.hasKey = true;
    return this.skip(key.length + (at < 0 ? 0 : 2 * quote.length));
  }

  private readValue(first: string): boolean {
    if (first === '{' || first === '[') {
      this.begin(first);
      this.closers.push(first === '{' ? '}' : ']');
      this.hasMember = false;
      return this.skip(1);
    }
    const quote = ([QUOTE, '"'] as const).find((one) => this.held.startsWith(one));
    if (quote === undefined) return this.readWord();
    this.begin('"');
    this.quote = quote;
    return this.skip(quote.length);
  }

  private readWord(): boolean {
    const word = this.held.slice(0, WORD_LENGTH_MAX);
    const at = word.search(VALUE_END);
    if (at < 0 && word.length < WORD_LENGTH_MAX) return false;
    const value = at < 0 ? word : word.slice(0, at);
    this.begin(valueOf(value.trim()));
    return this.skip(value.length);
  }

  private readText(quote: typeof QUOTE | '"'): boolean {
    const at = quote === '"' ? jsonStringEnd(this.held) : this.held.indexOf(quote);
    const known = at < 0 ? this.knownOf(quote) : this.held.slice(0, at);
    this.json += quote === '"' ? escapeControls(known) : inQuotes(known);
    this.skip(known.length);
    if (at < 0) return false;
    this.json += '"';
    this.quote = null;
    return this.skip(quote.length);
  }

  /** Of a text that goes on, what can be neither the beginning of its end nor a half of something. */
  private knownOf(quote: typeof QUOTE | '"'): string {
    if (quote === '"') return JSON_STRING.exec(this.held)?.[0] ?? '';
    return this.held.slice(0, this.held.length - overlap(this.held, quote)).replace(HALF, '');
  }

  /** A value, in its place. */
  private begin(value: string): void {
    this.json += (this.hasMember && !this.hasKey ? ',' : '') + value;
    this.hasMember = true;
    this.hasKey = false;
  }

  /** A key may have had no value. */
  private endMember(): true {
    if (this.hasKey) this.begin('null');
    return this.skip(1);
  }

  private close(): true {
    this.endMember();
    this.json += this.closers.pop() ?? '';
    this.hasMember = true;
    this.isOver = this.closers.length === 0;
    return true;
  }

  private closeAll(): true {
    if (this.hasKey) this.begin('null');
    this.json += this.closers.reverse().join('');
    return (this.isOver = true);
  }

  private skip(length: number): true {
    this.held = this.held.slice(length);
    return true;
  }
}

/** Where the quote is that ends it; -1: it goes on. */
function jsonStringEnd(text: string): number {
  const length = JSON_STRING.exec(text)?.[0].length ?? 0;
  return text.charAt(length) === '"' ? length : -1;
}

const escapeControls = (text: string): string => text.replace(/[\u0000-\u001f]/g, (control) => inQuotes(control));

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** What is neither a word that JSON knows nor a number is a text. */
const valueOf = (word: string): string => jsonWord(word) ?? (NUMBER.test(word) ? word : word === '' ? 'null' : JSON.stringify(word));
