/**
 * Finds where a JSON object or array ends while its text arrives in pieces. It counts brackets outside of strings and
 * checks nothing else: what is between is the reader's to judge.
 */
export class JsonValueScanner {
  private inString = false;
  private isEscaped = false;

  /** `depth`: of the brackets that are open already. */
  constructor(private depth = 0) {}

  /** How much of `text` belongs to the value if it ends in it, else null. */
  endIn(text: string): number | null {
    for (let at = 0; at < text.length; at++) {
      if (this.takes(text.charAt(at))) return at + 1;
    }
    return null;
  }

  /** True: the value ends with this character. */
  private takes(character: string): boolean {
    if (this.inString) {
      if (this.isEscaped) this.isEscaped = false;
      else if (character === '\\') this.isEscaped = true;
      else if (character === '"') this.inString = false;
      return false;
    }
    if (character === '"') this.inString = true;
    else if (character === '{' || character === '[') this.depth++;
    else if (character === '}' || character === ']') return --this.depth <= 0;
    return false;
  }
}
