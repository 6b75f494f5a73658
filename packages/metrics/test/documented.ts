/** What docs/metrics.md says there is, and what there is, in the same words; for the tests of whoever exports them. */
import { readFileSync } from 'node:fs';

export interface Described {
  type: string;
  /** Sorted; null: no sample shows them. */
  labels: string[] | null;
}

const page = (): string => readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

/** Of the page's tables, by name: `| name | type, labels | …`. */
export function documentedMetrics(prefix: RegExp): Map<string, Described> {
  const rows = [...page().matchAll(/^\| `(\w+)` \| (\w+)((?:, `\w+`)*) \|/gm)].filter(([, name]) => prefix.test(name!));
  return new Map(rows.map(([, name, type, labels]) => [name!, { type: type!, labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!).sort() }]));
}

/** Of the text format. `common`: labels that all have. */
export function exportedMetrics(text: string, prefix: RegExp, common: string[] = []): Map<string, Described> {
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].filter(([, name]) => prefix.test(name!));
  return new Map(types.map(([, name, type]) => [name!, { type: type!, labels: labelsOf(text, name!, common) }]));
}

function labelsOf(text: string, name: string, common: string[]): string[] | null {
  const sample = new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? \\S+$`, 'm').exec(text);
  if (!sample) return null;
  return [...(sample[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label!).filter((label) => label !== 'le' && !common.includes(label)).sort();
}

/** What one of them has and the other has not, or has otherwise; empty is as it should be. */
export function differences(documented: Map<string, Described>, exported: Map<string, Described>): string[] {
  const missing = [...exported.keys()].filter((name) => !documented.has(name)).map((name) => `${name}: not in docs/metrics.md`);
  const told = [...documented].flatMap(([name, said]) => {
    const found = exported.get(name);
    if (!found) return [`${name}: in docs/metrics.md, and not exported`];
    const labels = found.labels ?? said.labels;
    return found.type === said.type && String(labels) === String(said.labels) ? [] : [`${name}: docs/metrics.md says ${said.type} by ${said.labels}, found ${found.type} by ${labels}`];
  });
  return [...missing, ...told];
}

/** Names of a paragraph rather than a table. */
export const mentions = (name: string): boolean => page().includes(`\`${name}\``);
