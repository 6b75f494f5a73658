import type { StreamEntry } from '../redis/append-events.js';

/** Most answers take a hundredth of it; thousands of tokens with twenty alternatives each take more. */
const CHARS_MAX = 4 * 1024 * 1024;

/** What is known to be in one generation's stream, to be written again in the same words should Redis lose it. */
export class StreamHistory {
  #entries: StreamEntry[] | null = [];
  #chars = 0;

  add(entries: readonly StreamEntry[]): void {
    if (!this.#entries) return;
    for (const entry of entries) this.#chars += entry.json.length;
    if (this.#chars > CHARS_MAX) this.#entries = null;
    else this.#entries.push(...entries);
  }

  /** null: too much to be kept. */
  get entries(): readonly StreamEntry[] | null {
    return this.#entries;
  }
}
