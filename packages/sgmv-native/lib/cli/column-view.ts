/**
 * Several streams side by side in a terminal. While they run, the last lines of each are redrawn in place; at the
 * end the whole of each stays.
 */
import { displayWidth, padTo, sanitize, wrap } from './text-layout.js';

export interface Terminal {
  columns?: number;
  rows?: number;
  write(text: string): unknown;
}

const GAP = ' │ ';
const REDRAW_MS = 60;
/** Below that a column cannot be read; streams that do not fit beside each other are stacked. */
const WIDTH_MIN = 20;

export class ColumnView {
  readonly #texts: string[];
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly titles: string[],
  ) {
    this.#texts = titles.map(() => '');
  }

  append(column: number, text: string): void {
    this.#texts[column] += sanitize(text);
    this.#timer ??= setTimeout(() => this.#redraw(), REDRAW_MS);
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#erase();
    this.terminal.write(`${this.#lines().join('\n')}\n`);
  }

  #redraw(): void {
    this.#timer = undefined;
    const lines = this.#lines();
    const heads = this.#perRow() < this.titles.length ? 0 : 2;
    const room = Math.max(4, (this.terminal.rows ?? 24) - 1);
    const visible = lines.length <= room ? lines : [...lines.slice(0, heads), ...lines.slice(heads - room)];
    this.#erase();
    this.terminal.write(`${visible.join('\n')}\n`);
    this.#drawn = visible.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.terminal.write(`\x1b[${this.#drawn}A\r\x1b[J`);
    this.#drawn = 0;
  }

  #perRow(): number {
    const width = this.terminal.columns ?? 80;
    return Math.max(
      1,
      Math.min(this.titles.length, Math.floor((width + GAP.length) / (WIDTH_MIN + GAP.length))),
    );
  }

  #lines(): string[] {
    const perRow = this.#perRow();
    const lines: string[] = [];
    for (let first = 0; first < this.titles.length; first += perRow) {
      if (first > 0) lines.push('');
      lines.push(...this.#band(first, Math.min(first + perRow, this.titles.length), perRow));
    }
    return lines;
  }

  /** One row of columns: titles, a rule, the texts. */
  #band(first: number, end: number, perRow: number): string[] {
    const available = (this.terminal.columns ?? 80) - 1 - GAP.length * (perRow - 1);
    const width = Math.max(1, Math.floor(available / perRow));
    const columns = this.titles.slice(first, end).map((title, i) => {
      const head = displayWidth(title) <= width ? title : (wrap(title, width)[0] ?? '');
      return [head, '─'.repeat(width), ...wrap(this.#texts[first + i] ?? '', width)];
    });
    const height = Math.max(...columns.map((column) => column.length));
    return Array.from({ length: height }, (_, line) =>
      columns
        .map((column) => padTo(column[line] ?? '', width))
        .join(GAP)
        .trimEnd(),
    );
  }
}
