/**
 * XGrammar matches a schema's `pattern` against the string as it is written in JSON, so that `.` would let a quote
 * through and end the string. Here a pattern is rewritten until what it matches needs no escape: it may then match
 * less than it did, never more.
 */
import { EngineError } from '../engine-error.js';
import { classText, complement, union, without, type CodePoints } from './code-points.js';

/** What JSON must escape. */
const ESCAPED: CodePoints = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];
const DIGITS: CodePoints = [[0x30, 0x39]];
const WORD: CodePoints = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACES: CodePoints = union(
  [...' \t\n\v\f\r\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff'].map((character) => {
    const code = character.codePointAt(0)!;
    return [code, code];
  }),
  [[0x2000, 0x200a]],
);
const SETS: Record<string, CodePoints> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACES,
  S: complement(SPACES),
};
const CONTROLS: Record<string, string> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/** One character of a string that needs no escape. */
export const PLAIN_CHARACTER = classText(complement(ESCAPED))!;

/** Throws EngineError `constraint_invalid`. `path` is where the pattern is in the schema. */
export function jsonStringPattern(pattern: string, path: string): string {
  return new PatternRewriter([...pattern], path).run();
}

class PatternRewriter {
  #at = 0;

  constructor(
    private readonly characters: string[],
    private readonly path: string,
  ) {}

  run(): string {
    let text = '';
    while (this.#at < this.characters.length) text += this.#next();
    return text;
  }

  #next(): string {
    const character = this.#take();
    if (character === '.') return PLAIN_CHARACTER;
    if (character === '[') return this.#class();
    if (character === '\\') {
      const set = this.#escape();
      return typeof set === 'string' ? set : this.#text(set);
    }
    return this.#isPlain(character) ? character : this.#refuse(character);
  }

  #class(): string {
    const negated = this.characters[this.#at] === '^';
    if (negated) this.#at += 1;
    const parts: CodePoints[] = [];
    while (this.characters[this.#at] !== ']') {
      const first = this.#classItem();
      if (this.characters[this.#at] !== '-' || this.characters[this.#at + 1] === ']') {
        parts.push(first);
        continue;
      }
      this.#at += 1;
      parts.push([[single(first) ?? this.#refuse('-'), single(this.#classItem()) ?? this.#refuse('-')]]);
    }
    this.#at += 1;
    return this.#text(negated ? complement(union(...parts)) : union(...parts));
  }

  #classItem(): CodePoints {
    const character = this.#take();
    if (character !== '\\') return just(character);
    const escaped = this.#escape();
    return typeof escaped === 'string' ? just(escaped.at(-1)!) : escaped;
  }

  /** After a backslash: a set, or the escape as it was when it stands for one character of punctuation. */
  #escape(): CodePoints | string {
    const letter = this.#take();
    const control = CONTROLS[letter];
    const set = SETS[letter] ?? (control !== undefined ? just(control) : undefined);
    if (set) return set;
    if (/[A-Za-z0-9]/.test(letter)) this.#refuse(`\\${letter}`);
    return this.#isPlain(letter) ? `\\${letter}` : just(letter);
  }

  #isPlain(character: string): boolean {
    return without(just(character), ESCAPED).length > 0;
  }

  #text(set: CodePoints): string {
    return classText(without(set, ESCAPED)) ?? this.#refuse('a class of which nothing is left');
  }

  #take(): string {
    return this.characters[this.#at++] ?? this.#refuse('its end too early');
  }

  #refuse(found: string): never {
    throw new EngineError(
      'constraint_invalid',
      `${this.path}: found ${JSON.stringify(found)}; expected a pattern of plain characters, classes, groups and repetitions.`,
    );
  }
}

function just(character: string): CodePoints {
  const code = character.codePointAt(0)!;
  return [[code, code]];
}

function single(set: CodePoints): number | undefined {
  const [range, ...rest] = set;
  return range && rest.length === 0 && range[0] === range[1] ? range[0] : undefined;
}
