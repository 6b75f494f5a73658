/** Where the first of them is, and which, the earlier in the list of two in one place; null: nowhere. */
export function firstOf(marks: readonly string[], text: string): [at: number, mark: string] | null {
  const found = marks.map((mark): [number, string] => [text.indexOf(mark), mark]).filter(([at]) => at >= 0);
  return found.reduce<[number, string] | null>((first, one) => (first && first[0] <= one[0] ? first : one), null);
}

/** How much of `text` is the whole head of a call, in which a space stands for any spaces; `more`: it may become one; null: it is none. */
export function headLength(text: string, head: string): number | 'more' | null {
  let at = 0;
  for (const character of head) {
    if (character === ' ') at = text.length - text.slice(at).trimStart().length;
    else if (at === text.length) return 'more';
    else if (text.charAt(at++) !== character) return null;
  }
  return at;
}
