/** Python's literals as JSON. */
import { jsonWord } from './json-words.js';

/** What a text begins with. */
export const STRING_BEGIN = /^([rRbBuUfF]{0,2})("""|'''|"|')/;

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const NUMBER = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^([+-]?)(0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/;

/** What is neither a number nor one of Python's or JSON's words is a text. */
export function literalOf(word: string): string {
  if (word === '') return 'null';
  if (JSON_NUMBER.test(word)) return word;
  const [, sign = '', digits = ''] = INTEGER.exec(word) ?? [];
  const number = digits !== '' ? Number(digits) : NUMBER.test(word) ? Number(word.replaceAll('_', '').replace(/^[+-]/, '')) : Number.NaN;
  const isNegative = sign === '-' || (digits === '' && word.startsWith('-'));
  if (Number.isFinite(number)) return JSON.stringify(isNegative ? -number : number);
  return jsonWord(word) ?? JSON.stringify(word);
}

const LETTERS: Readonly<Record<string, string>> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\n': '', '\\': '\\', "'": "'", '"': '"' };

/** What escapes stand for; a backslash before any other character stands for itself. */
export const unescaped = (text: string): string =>
  text.replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g, (escape, x?: string, u?: string, U?: string, octal?: string, letter?: string) => {
    const hex = x ?? u ?? U;
    if (letter !== undefined) return Object.hasOwn(LETTERS, letter) ? (LETTERS[letter] ?? '') : escape;
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(octal ?? '', 8);
    return code <= 0x10ffff ? String.fromCodePoint(code) : escape;
  });
