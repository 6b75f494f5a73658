/** What goes to stdout is the result, for people or as one JSON value; everything on the way there goes to stderr. */

/** Columns as wide as their widest cell; nothing but the heads for no rows. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}

export function print(value: unknown, text: string, { json }: { json?: boolean }): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text}\n`);
}

export const note = (text: string): void => void process.stderr.write(`${text}\n`);

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

/** All nine decimals that there are, without zeros at the end; two at least. */
export function formatNanoUsd(nanoUsd: string): string {
  const digits = nanoUsd.padStart(10, '0');
  return `$${digits.slice(0, -9)}.${digits.slice(-9).replace(/0{1,7}$/, '')}`;
}
