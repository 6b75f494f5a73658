/** Text on a grid of character cells. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Scripts and symbols that terminals draw two cells wide (Unicode's East Asian Wide, roughly, and emoji). */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}/u;

const cellsOf = (grapheme: string): number => (WIDE.test(grapheme) ? 2 : /^\p{M}*$/u.test(grapheme) ? 0 : 1);

const cut = (text: string): string[] => Array.from(graphemes.segment(text), ({ segment }) => segment);

export const displayWidth = (text: string): number => cut(text).reduce((sum, one) => sum + cellsOf(one), 0);

/**
 * What a model wrote, safe to show: control characters could move the cursor, retitle the window or worse, so each
 * becomes its visible picture (U+2400 and up).
 */
export function sanitize(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(/\p{Cc}/gu, (control) => {
    if (control === '\n' || control === '\t') return control;
    const code = control.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : '\u2421';
  });
}

/** Lines of at most `width` cells: broken at spaces where possible, inside words where not. */
export function wrap(text: string, width: number): string[] {
  return text
    .replaceAll('\t', '    ')
    .split('\n')
    .flatMap((line) => wrapLine(line, width));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  let cells = 0;
  for (const grapheme of cut(line)) {
    const more = cellsOf(grapheme);
    if (cells + more > width) {
      const space = grapheme === ' ' ? current.length : current.lastIndexOf(' ');
      const kept = space > 0 ? current.slice(0, space) : current;
      lines.push(kept);
      current = space > 0 ? current.slice(space + 1) : '';
      cells = displayWidth(current);
      if (grapheme === ' ' && current === '') continue;
    }
    current += grapheme;
    cells += more;
  }
  return [...lines, current];
}

export const padTo = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));

/** Rows of cells as text, columns aligned. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => padTo(cell, widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
