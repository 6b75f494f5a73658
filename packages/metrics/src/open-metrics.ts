/** https://prometheus.io/docs/specs/om/open_metrics_spec/ */
export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * From Prometheus' text format. prom-client writes both, but a registry of the one renames its counters for good when it is
 * asked for the other. What differs for the types we have: a counter is called without the `_total` of its samples, there
 * are no empty lines, and the end is told.
 */
export function toOpenMetrics(text: string): string {
  const counters = new Set([...text.matchAll(/^# TYPE (\S+)_total counter$/gm)].map(([, name]) => name));
  const lines = text.split('\n').filter((line) => line !== '');
  const renamed = lines.map((line) => line.replace(/^(# (?:HELP|TYPE) )(\S+)_total /, (all, head: string, name: string) => (counters.has(name) ? `${head}${name} ` : all)));
  return `${renamed.join('\n')}\n# EOF\n`;
}
