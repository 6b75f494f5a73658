/**
 * The arguments of a call as some models write them, each parameter between tags and its value as bare text, as JSON while
 * they arrive: a text as it comes, any other value once it is whole. Nothing is refused: what is not of a type that the schema
 * allows is a text.
 */
import { overlap } from '../../../base/overlap.js';
import type { ArgumentsSource } from './call-reader.js';
import { HALF, inQuotes } from './json-words.js';
import { isText, jsonOf, ParameterTypes, type Types } from './parameter-types.js';
import type { Schema } from './schema-definition.js';
import { anyOf, firstOf, headLength } from './text-marks.js';

/** What stands around the keys and values. */
export interface ParameterTags {
  key: string;
  keyEnd: string;
  /** After the key's end, if it is there; a space stands for any spaces. */
  value: string;
  valueEnds: readonly string[];
  /** After the last. */
  ends: readonly string[];
}

/** No key is as long. */
const KEY_LENGTH_MAX = 1024;
/** Nor what stands between two parameters. */
const GAP_LENGTH_MAX = 256;

export class ParameterArguments implements ArgumentsSource {
  private held = '';
  private where: 'between' | 'key' | 'opening' | 'value' | 'over' = 'between';
  private json = '{';
  private isFirst = true;
  private key = '';
  /** Of the value that is being read. */
  private types: Types = null;
  /** All of it so far, unless it is told as it comes. */
  private value = '';
  private readonly schema: ParameterTypes;
  private readonly valueEnd: RegExp;

  constructor(
    private readonly tags: ParameterTags,
    schema?: Schema,
  ) {
    this.schema = new ParameterTypes(schema);
    this.valueEnd = new RegExp(anyOf(tags.valueEnds));
  }

  /** From the first parameter, or the end, on. `rest`: what follows the call, null: it goes on. */
  push(text: string): { json: string; rest: string | null } {
    this.held += text;
    while (this.step());
    const { json } = this;
    this.json = '';
    return { json, rest: this.where === 'over' ? this.held : null };
  }

  /** False: it waits for more. */
  private step(): boolean {
    switch (this.where) {
      case 'between':
        return this.readBetween();
      case 'key':
        return this.readKey();
      case 'opening':
        return this.readOpening();
      case 'value':
        return this.readValue();
      case 'over':
        return false;
    }
  }

  /** It is here: what is in front of it was told from a value, or from text, by it. */
  private readBetween(): boolean {
    this.held = this.held.trimStart();
    const { key, ends } = this.tags;
    const tag = [key, ...ends].find((one) => this.held.startsWith(one));
    if (tag === undefined) return false;
    this.skip(tag.length);
    if (tag === key) return this.go('key');
    this.json += '}';
    return this.go('over');
  }

  private readKey(): boolean {
    const word = this.held.slice(0, KEY_LENGTH_MAX);
    const at = word.indexOf(this.tags.keyEnd);
    if (at < 0 && word.length < KEY_LENGTH_MAX) return false;
    const key = at < 0 ? word : word.slice(0, at);
    this.skip(key.length + (at < 0 ? 0 : this.tags.keyEnd.length));
    this.key = key.trim();
    this.types = this.schema.of(this.key);
    return this.go('opening');
  }

  private readOpening(): boolean {
    const length = headLength(this.held, this.tags.value);
    if (length === 'more') return false;
    this.skip(length ?? 0);
    this.json += `${this.isFirst ? '' : ','}${JSON.stringify(this.key)}:${isText(this.types) ? '"' : ''}`;
    this.isFirst = false;
    return this.go('value');
  }

  private readValue(): boolean {
    const end = firstOf(this.valueEnd, this.held);
    if (!end) {
      const begun = Math.max(...this.tags.valueEnds.map((tag) => overlap(this.held, tag)));
      this.tell(this.held.slice(0, this.held.length - begun).replace(HALF, ''));
      return false;
    }
    const [at, tag] = end;
    const isEnd = this.isEnd(this.held.slice(at + tag.length));
    this.tell(this.held.slice(0, isEnd === false ? at + tag.length : at));
    if (isEnd !== true) return isEnd === false;
    this.skip(tag.length);
    this.json += isText(this.types) ? '"' : jsonOf(this.value, this.types);
    this.value = '';
    return this.go('between');
  }

  /** A tag in the midst of a value is a part of it. */
  private isEnd(after: string): boolean | 'more' {
    const lengths = [this.tags.key, ...this.tags.ends].map((tag) => headLength(after, ` ${tag}`));
    if (lengths.some((length) => typeof length === 'number')) return true;
    return lengths.includes('more') && after.length < GAP_LENGTH_MAX ? 'more' : false;
  }

  /** What the value goes on with. */
  private tell(text: string): void {
    if (isText(this.types)) this.json += inQuotes(text);
    else this.value += text;
    this.skip(text.length);
  }

  private go(where: typeof this.where): true {
    this.where = where;
    return true;
  }

  private skip(length: number): void {
    this.held = this.held.slice(length);
  }
}
