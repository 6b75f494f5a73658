/** What a run leaves behind: rows for machines, a markdown table and a plot for people. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { drawPlot } from './plot.mjs';

const git = (...args) => {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
};

/** Where, when and from what: the first lines of every report. */
export function describeRun(command, device) {
  const changed = git('status', '--porcelain', '--untracked-files=no') ? ', with uncommitted changes' : '';
  return [
    `- Machine: ${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `- Engine: ${device}`,
    `- Commit: ${git('rev-parse', 'HEAD') || 'unknown'}${changed}`,
    `- Command: \`${command}\``,
    `- Date: ${new Date().toISOString().slice(0, 10)}`,
  ].join('\n');
}

const cell = (value) => String(value).replaceAll('|', '\\|');
const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;

export const markdownTable = (columns, rows) =>
  [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');

/** A target is a floor, except where less is better: times, floors and counts. */
const LESS_IS_BETTER = /step\/|ttft\/|Different/;

export function isMet({ id, value, target }) {
  if (target === null) return null;
  return LESS_IS_BETTER.test(id) ? value <= target : value >= target;
}

const rounded = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** The rows that have a target, and those that go with them. */
export function targetTable(rows) {
  const lines = rows
    .filter(({ id, target }) => target !== null || /^target\d+\.[^.]*$/.test(id))
    .map((row) => {
      const spread = ['.min', '.max'].map((suffix) => rows.find(({ id }) => id === row.id + suffix)?.value);
      const range = spread.every((value) => value !== undefined) ? spread.map(rounded).join('–') : '';
      const sign = LESS_IS_BETTER.test(row.id) ? '≤' : '≥';
      const target = row.target === null ? '' : `${sign} ${row.target}`;
      const verdict = { true: 'met', false: 'not met', null: '' }[isMet(row)];
      return [row.id, rounded(row.value), range, target, verdict];
    });
  return markdownTable(['Measure', 'Median', 'Spread', 'Target', ''], lines);
}

/** Writes `<name>.md` and one SVG per table with a plot. @returns {Promise<string>} the markdown file */
export async function writeReport(folder, name, { heading, rows, tables }) {
  mkdirSync(folder, { recursive: true });
  const parts = [`# ${name}`, heading, '## Targets', targetTable(rows)];
  for (const table of tables) {
    parts.push(`## ${table.title}`, markdownTable(table.columns, table.rows));
    if (!table.plot || table.plot.values.length === 0) continue;
    const file = `${name}-${table.name}.svg`;
    writeFileSync(join(folder, file), await drawPlot(table.title, table.plot));
    parts.push(`![${table.title}](${file})`);
  }
  const file = join(folder, `${name}.md`);
  writeFileSync(file, `${parts.join('\n\n')}\n`);
  return file;
}
