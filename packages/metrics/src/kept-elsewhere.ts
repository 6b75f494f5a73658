/** Metrics whose values are kept by something else, and read from it when somebody asks for them. */
import { Counter, Gauge, type Metric, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';

interface Named {
  name: string;
  help: string;
}

/** Values by size: `counts[i]` were at most `bounds[i]` and above the bound before, the last count above all bounds. */
export interface Distribution {
  bounds: readonly number[];
  counts: readonly number[];
  sum: number;
}

/** A value with the labels it has. */
export interface Labelled<L extends string> {
  labels: Record<L, string>;
  value: number;
}

export function gaugeOf(registry: Registry, named: Named, read: () => number): void {
  new Gauge({ ...named, registers: [registry], collect() { this.set(read()); } });
}

/** Longer than a health check takes to give up, and well within a scrape, which must not fail with what it asks about. */
const READ_MS_MAX = 3_000;

/** Where reading fails or takes too long there is no value, which is what the reader should be told. */
export function gaugesOf<L extends string>(registry: Registry, named: Named & { labelNames: readonly L[] }, read: () => Promise<Labelled<L>[]>): void {
  new Gauge({
    ...named,
    registers: [registry],
    async collect() {
      const values = await inTime(read()).catch(() => []);
      this.reset();
      for (const { labels, value } of values) this.set(labels, value);
    },
  });
}

async function inTime<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error('too late')), READ_MS_MAX)));
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** `read` never goes down while the process lives. */
export function counterOf(registry: Registry, named: Named, read: () => number): void {
  new Counter({
    ...named,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** prom-client's own histograms take values one by one only. */
export function histogramOf(registry: Registry, named: Named, read: () => Distribution): void {
  const get = (): Promise<MetricObjectWithValues<MetricValue<'le'>>> => Promise.resolve({ ...named, type: 'histogram', aggregator: 'sum', values: samplesOf(named.name, read()) } as never);
  registry.registerMetric({ ...named, type: 'histogram', get, reset: () => {} } as unknown as Metric);
}

function samplesOf(name: string, { bounds, counts, sum }: Distribution): object[] {
  let below = 0;
  const buckets = counts.map((count, index) => {
    below += count;
    return { metricName: `${name}_bucket`, labels: { le: bounds[index] ?? '+Inf' }, value: below };
  });
  return [...buckets, { metricName: `${name}_sum`, labels: {}, value: sum }, { metricName: `${name}_count`, labels: {}, value: below }];
}
