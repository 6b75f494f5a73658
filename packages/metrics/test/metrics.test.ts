import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences, exportedMetrics, mentions } from './documented.js';
import { addProcessMetrics, Counter, counterOf, Gauge, gaugeOf, gaugesOf, Histogram, histogramOf, MetricsServer, Registry } from '../src/index.js';

describe('the server', () => {
  const registry = new Registry();
  const server = new MetricsServer(registry);
  let url: string;
  let broken = false;
  beforeAll(async () => {
    new Counter({ name: 'test_things_total', help: 'Things.', labelNames: ['kind'], registers: [registry] }).inc({ kind: 'a "b"\n' }, 3);
    new Gauge({ name: 'test_total', help: 'Not a counter.', registers: [registry], collect() { if (broken) throw new Error('secret'); this.set(1); } });
    new Histogram({ name: 'test_seconds', help: 'Time.', buckets: [1, 2], registers: [registry] }).observe(1.5);
    url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
  });
  afterAll(() => server.close());

  it('tells them in the text format', async () => {
    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('# TYPE test_things_total counter\ntest_things_total{kind="a \\"b\\"\\n"} 3\n');
    expect(text).not.toContain('# EOF');
  });

  it('tells them as OpenMetrics to who asks for it, and again as text afterwards', async () => {
    // As Prometheus asks.
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
    const answer = await fetch(`${url}/metrics`, { headers: { accept } });
    expect(answer.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('# HELP test_things Things.\n# TYPE test_things counter\ntest_things_total{kind="a \\"b\\"\\n"} 3\n');
    expect(text).toContain('# TYPE test_total gauge\ntest_total 1\n');
    expect(text).toContain('test_seconds_bucket{le="+Inf"} 1\n');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text).not.toContain('\n\n');
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('# TYPE test_things_total counter');
  });

  it('answers nothing else, and says no more than that of a failure', async () => {
    expect((await fetch(`${url}/`)).status).toBe(404);
    // Not a URL for every parser.
    expect((await fetch(`${url}//`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
    broken = true;
    const failed = await fetch(`${url}/metrics`);
    expect([failed.status, await failed.text()]).toEqual([500, 'the metrics could not be read\n']);
    broken = false;
  });
});

describe('metrics that are kept elsewhere', () => {
  it('are read when asked for', async () => {
    const registry = new Registry();
    let value = 1;
    counterOf(registry, { name: 'test_steps_total', help: 'Steps.' }, () => value);
    gaugeOf(registry, { name: 'test_running', help: 'Running.' }, () => value);
    histogramOf(registry, { name: 'test_size', help: 'Size.' }, () => ({ bounds: [1, 2], counts: [value, 0, 3], sum: 10 }));
    await registry.metrics();
    value = 5;
    const text = await registry.metrics();
    for (const line of ['test_steps_total 5', 'test_running 5', 'test_size_bucket{le="1"} 5', 'test_size_bucket{le="2"} 5', 'test_size_bucket{le="+Inf"} 8', 'test_size_sum 10', 'test_size_count 8'])
      expect(text).toContain(`${line}\n`);
  });

  it('have no value while it cannot be read, and lose those that are gone', async () => {
    const registry = new Registry();
    let read = (): Promise<{ labels: { of: string }; value: number }[]> => Promise.resolve([{ labels: { of: 'a' }, value: 1 }]);
    gaugesOf(registry, { name: 'test_jobs', help: 'Jobs.', labelNames: ['of'] }, () => read());
    expect(await registry.metrics()).toContain('test_jobs{of="a"} 1');
    read = () => Promise.reject(new Error('away'));
    expect(await registry.metrics()).not.toContain('test_jobs{');
  });
});

it('tells of the process, in names that OpenMetrics allows and the page of metrics has', async () => {
  const registry = new Registry();
  addProcessMetrics(registry);
  const text = await registry.metrics();
  expect(text).toContain('nodejs_eventloop_lag_seconds');
  const all = exportedMetrics(text, /./);
  for (const [name, { type }] of all) expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
  expect([...all.keys()].filter((name) => !mentions(name))).toEqual([]);
});

it('differences between the page and what is exported are found', () => {
  const documented = new Map([['a', { type: 'gauge', labels: ['x'] }], ['b', { type: 'gauge', labels: [] }], ['gone', { type: 'gauge', labels: [] }]]);
  const exported = exportedMetrics('# TYPE a gauge\na{x="1"} 1\n# TYPE b counter\nb{y="1"} 1\n# TYPE new gauge\n', /./);
  expect(differences(documented, exported)).toEqual([
    'new: not in docs/metrics.md',
    'b: docs/metrics.md says gauge by , found counter by y',
    'gone: in docs/metrics.md, and not exported',
  ]);
  expect(differences(new Map([['a', { type: 'gauge', labels: ['x'] }]]), exportedMetrics('# TYPE a gauge\na{x="1"} 1\n', /./))).toEqual([]);
});
