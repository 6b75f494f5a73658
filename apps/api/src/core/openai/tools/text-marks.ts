/** Any of them; of two in one place, the earlier in the list. */
export const anyOf = (marks: readonly string[]): string => marks.map((mark) => mark.replace(/[|[\]]/g, '\\$&')).join('|');

/** Where the first is, and which; null: nowhere. */
export function firstOf(marks: RegExp, text: string): [at: number, mark: string] | null {
  const found = marks.exec(text);
  return found && [found.index, found[0]];
}

/** How much of `text` is the whole of a head, in which a space stands for any spaces; `more`: it may become one; null: it is none. */
export function headLength(text: string, head: string): number | 'more' | null {
  let at = 0;
  for (const character of head) {
    if (character === ' ') at = text.length - text.slice(at).trimStart().length;
    else if (at === text.length) return 'more';
    else if (text.charAt(at++) !== character) return null;
  }
  return at;
}
