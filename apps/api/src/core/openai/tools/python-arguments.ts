/**
 * The arguments of a call in Python, `(city="Oslo", days=[1, 2])`, as JSON while they arrive. Models are shown texts between
 * quotes that stand in them too, so a quote ends a text only where the call can go on behind it. Nothing is refused: what is
 * no literal is a text, and the JSON is whole where the call has ended.
 */
import { overlap } from '../../../base/overlap.js';
import type { ArgumentsSource } from './call-reader.js';
import { HALF, inQuotes } from './json-words.js';
import { literalOf, STRING_BEGIN, unescaped } from './python-literals.js';
import type { Schema } from './schema-definition.js';

export const PYTHON_CALLS_BEGIN = '<|tool_call_start|>';
/** Ends calls, wherever it stands but in a text. */
export const PYTHON_CALLS_END = '<|tool_call_end|>';
/** No name, no key and no number is as long. */
const WORD_LENGTH_MAX = 1024;
/** Nor what stands behind a text. */
const GAP_LENGTH_MAX = 256;
const NAME = String.raw`[^\s,()=[\]{}'":]`;
const NAMED = new RegExp(`^(${NAME}+)\\s*=`);
const MAY_BE_NAMED = new RegExp(`^${NAME}*\\s*$`);
/** Behind the text of an argument with a name: the next one's name, or the end of the arguments and what may follow that. */
const BEHIND = new RegExp(String.raw`^\s*(?:,\s*(?:${NAME}+\s*=|\))|\)\s*[\],]|\)?\s*<\|tool_call_end\|>)`);
const MAY_BE_BEHIND = new RegExp(String.raw`^\s*(?:,\s*${NAME}*\s*)?$`);
const LAST = /^\s*\)\s*/;

interface Open {
  kind: 'call' | 'list' | 'dict';
  isEmpty: boolean;
  /** Whether a key waits for its value. */
  hasKey: boolean;
  /** Whether the last key stood there; the others follow from the place. */
  isNamed: boolean;
}

export class PythonArguments implements ArgumentsSource {
  private held = '';
  private readonly open: Open[] = [];
  /** Of the text that is being read. */
  private quote: { mark: string; isRaw: boolean } | null = null;
  private json = '';
  private isOver = false;
  private isLast = false;
  /** The names of those that have none. */
  private readonly names: readonly string[];
  private placed = 0;

  constructor(schema?: Schema) {
    const { properties } = schema ?? {};
    this.names = properties !== null && typeof properties === 'object' ? Object.keys(properties) : [];
  }

  /** From the first bracket on. `rest`: what follows the last, null: they go on. */
  push(text: string): { json: string; rest: string | null } {
    this.held += text;
    this.json = '';
    while (!this.isOver && this.step());
    return { json: this.json, rest: this.isOver ? this.held : null };
  }

  /** Nothing follows. */
  end(): string {
    this.isLast = true;
    return this.push('').json;
  }

  /** False: it waits for more. */
  private step(): boolean {
    if (this.quote) return this.readText(this.quote.mark, this.quote.isRaw);
    this.held = this.held.trimStart();
    if (this.held === '') return false;
    if (this.held.startsWith(PYTHON_CALLS_END)) return this.closeAll();
    if (PYTHON_CALLS_END.startsWith(this.held)) return false;
    const first = this.held.charAt(0);
    const inner = this.open.at(-1);
    if (!inner) return this.enter('call', '{');
    if (')]}'.includes(first)) return this.close(inner);
    if (first === ',') return this.endMember(inner);
    if (first === ':' && inner.kind === 'dict') return this.skip(1);
    if (!inner.hasKey && inner.kind === 'call') return this.readName(inner);
    return !inner.hasKey && inner.kind === 'dict' ? this.readKey(inner) : this.readValue(first);
  }

  private readName(call: Open): boolean {
    const { word, isWhole } = this.upToEnd();
    const named = NAMED.exec(word);
    if (!named && MAY_BE_NAMED.test(word) && !isWhole) return false;
    this.tellKey(call, named?.[1] ?? this.names[this.placed] ?? String(this.placed), named !== null);
    if (!named) this.placed += 1;
    return this.skip(named?.[0].length ?? 0);
  }

  private readKey(dict: Open): boolean {
    const { word, isWhole } = this.upToEnd();
    const quoted = /^(['"])((?:[^\\]|\\.)*?)\1/s.exec(word);
    const at = quoted ? quoted[0].length : /^['"]/.test(word) ? -1 : word.search(/[:,}\]]/);
    if (at < 0 && !isWhole) return false;
    const key = at < 0 ? word : word.slice(0, at);
    this.tellKey(dict, quoted ? unescaped(quoted[2] ?? '') : key.trim(), true);
    return this.skip(key.length);
  }

  private readValue(first: string): boolean {
    if (first === '{') return this.enter('dict', '{');
    if (first === '[' || first === '(') return this.enter('list', '[');
    const begin = STRING_BEGIN.exec(this.held);
    if (!begin) return this.readWord();
    const [whole, prefix = '', mark = ''] = begin;
    // Two quotes are an empty text, or the beginning of three.
    if (whole === this.held && mark.length < 3) return false;
    if (whole.length + 1 === this.held.length && this.held.endsWith(mark)) return false;
    this.beginValue('"');
    this.quote = { mark, isRaw: /r/i.test(prefix) };
    return this.skip(whole.length);
  }

  /** With all in brackets of its own. */
  private readWord(): boolean {
    const { word, isWhole } = this.upToEnd();
    const at = endOfWord(word);
    if (at < 0 && !isWhole) return false;
    const value = at < 0 ? word : word.slice(0, at);
    this.beginValue(literalOf(value.trim()));
    return this.skip(value.length);
  }

  /** As much as a word may be. */
  private upToEnd(): { word: string; isWhole: boolean } {
    const word = this.held.slice(0, WORD_LENGTH_MAX);
    const at = word.indexOf(PYTHON_CALLS_END);
    return at < 0 ? { word, isWhole: word.length === WORD_LENGTH_MAX } : { word: word.slice(0, at), isWhole: true };
  }

  private readText(mark: string, isRaw: boolean): boolean {
    const at = this.held.search(isRaw ? mark : new RegExp(`\\\\|${mark}`));
    if (at < 0) return this.tell(this.held.slice(0, this.held.length - overlap(this.held, mark)).replace(HALF, ''), false);
    this.tell(this.held.slice(0, at));
    if (this.held.startsWith('\\') && !isRaw) return this.readEscape();
    const isEnd = this.isEnd(this.held.slice(mark.length));
    if (isEnd === 'more') return false;
    if (!isEnd) return this.tell(mark);
    this.json += '"';
    this.quote = null;
    return this.skip(mark.length);
  }

  private readEscape(): boolean {
    const escape = /^\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[^])/.exec(this.held)?.[0] ?? '';
    const mayGrow = /^\\(?:x[\da-fA-F]{0,1}|u[\da-fA-F]{0,3}|U[\da-fA-F]{0,7}|[0-7]{0,2})$/.test(this.held);
    if (mayGrow) return false;
    this.json += inQuotes(unescaped(escape));
    return this.skip(escape.length);
  }

  /** Whether a quote in front of `after` ends the text. */
  private isEnd(after: string): boolean | 'more' {
    const inner = this.open.at(-1);
    if (inner?.kind === 'call' && inner.isNamed) {
      if (BEHIND.test(after) || (this.isLast && LAST.test(after))) return true;
      const end = LAST.exec(after)?.[0].length ?? 0;
      const mayBe = MAY_BE_BEHIND.test(after) || PYTHON_CALLS_END.startsWith(after.slice(end).trimStart());
      return mayBe && after.length < GAP_LENGTH_MAX ? 'more' : false;
    }
    const next = after.trimStart();
    if (/^[,)\]}:]/.test(next) || next.startsWith(PYTHON_CALLS_END)) return true;
    return PYTHON_CALLS_END.startsWith(next) && after.length < GAP_LENGTH_MAX ? 'more' : false;
  }

  private tell(text: string, goesOn = true): boolean {
    this.json += inQuotes(text);
    this.skip(text.length);
    return goesOn;
  }

  private enter(kind: Open['kind'], bracket: '{' | '['): true {
    this.beginValue(bracket);
    this.open.push({ kind, isEmpty: true, hasKey: false, isNamed: false });
    return this.skip(1);
  }

  private tellKey(inner: Open, key: string, isNamed: boolean): void {
    this.json += `${inner.isEmpty ? '' : ','}${JSON.stringify(key)}:`;
    Object.assign(inner, { isEmpty: false, hasKey: true, isNamed });
  }

  /** A value, in its place. */
  private beginValue(value: string): void {
    const inner = this.open.at(-1);
    this.json += (inner?.kind === 'list' && !inner.isEmpty ? ',' : '') + value;
    if (inner) Object.assign(inner, { isEmpty: false, hasKey: false });
  }

  /** A key may have had no value. */
  private endMember(inner: Open): true {
    if (inner.hasKey) this.beginValue('null');
    return this.skip(1);
  }

  private close(inner: Open): true {
    this.endMember(inner);
    this.closeOne();
    this.isOver = this.open.length === 0;
    return true;
  }

  private closeOne(): void {
    const closed = this.open.pop();
    this.json += closed?.kind === 'list' ? ']' : '}';
  }

  private closeAll(): true {
    while (this.open.length > 0) {
      if (this.open.at(-1)?.hasKey) this.beginValue('null');
      this.closeOne();
    }
    return (this.isOver = true);
  }

  private skip(length: number): true {
    this.held = this.held.slice(length);
    return true;
  }
}

/** Where a word ends that may have brackets of its own; -1: it goes on. */
function endOfWord(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const one = text.charAt(at);
    if (depth === 0 && ',)]}'.includes(one)) return at;
    if ('([{'.includes(one)) depth++;
    else if (')]}'.includes(one)) depth--;
  }
  return -1;
}
