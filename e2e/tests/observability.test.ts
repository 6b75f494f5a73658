/** Dashboards and alert rules on a real Prometheus that scrapes the stack under load: each expression finds data there. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as tus from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenFiles } from '../support/adapters.js';
import { query } from '../support/graphql.js';
import { eventually } from '../support/processes.js';
import { hasPrometheus, INFRA, Prometheus, type Sample } from '../support/prometheus.js';
import { ORDER, SQL, stack, tenantWith } from '../support/stack.js';

const LOAD_MS = 12_000;
/** Chores come every 15 seconds or a minute; the first look at one may be soon after the stack's start. */
const DATA_MS_MAX = 60_000;

let prometheus: Prometheus;

/** One that no runner has seen, so that it is fetched and loaded while Prometheus looks: an example under another scale. */
async function upload(apiKey: string): Promise<string> {
  const slug = `cold-${Date.now()}`;
  const files = brokenFiles('reply-brief', { config: { lora_alpha: 60 } }).map((path) => ({ name: basename(path), bytes: readFileSync(path) }));
  const input = { slug, baseModelId: 'smollm2-135m-instruct', files: files.map(({ name, bytes }) => ({ name, bytes: bytes.length })) };
  const created = await query<{ createAdapter: { adapter: { id: string } } }>(apiKey, 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } } }', { input });
  const { id: adapterId } = created.createAdapter.adapter;
  for (const { name: filename, bytes } of files) {
    await new Promise<void>((onSuccess, onError) =>
      new tus.Upload(bytes, { endpoint: `${stack.apiUrl}/uploads`, headers: { authorization: `Bearer ${apiKey}` }, metadata: { adapterId, filename }, onSuccess: () => onSuccess(), onError }).start(),
    );
  }
  await query(apiKey, 'mutation ($id: ID!) { finishAdapterUpload(input: { adapterId: $id }) { adapter { status } } }', { id: adapterId });
  return slug;
}

async function ask(adapter: string, model: string, prompt: string, stream: boolean, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${stack.apiUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tenantWith(adapter).apiKey}`, ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: prompt }], max_tokens: 24, stream }),
  });
  await response.text();
  return response.status;
}

/** Of two tenants, with adapters and without, whole and streamed; some are refused. */
async function load(cold: string, until: number): Promise<void> {
  const clients = [
    () => ask(ORDER.adapter, ORDER.adapter, ORDER.prompt, true),
    () => ask(SQL.adapter, SQL.adapter, SQL.prompt, false),
    () => ask(ORDER.adapter, 'smollm2-135m-instruct', 'Tell me of pomegranates.', true),
    () => ask(ORDER.adapter, cold, 'I forgot my password.', false),
  ];
  const loops = clients.map(async (client) => {
    while (Date.now() < until) expect(await client()).toBe(200);
  });
  const refused = async (): Promise<void> => {
    for (; Date.now() < until; await delay(1_000)) expect(await ask(ORDER.adapter, 'no-such-model', 'x', false)).toBe(404);
  };
  await Promise.all([...loops, refused()]);
}

const hasNumber = (samples: Sample[]): boolean => samples.some(({ value: [, value] }) => Number.isFinite(Number(value)));

/** Those that find nothing, or not a number, until all have found something or time is up. */
async function withoutData(expressions: Iterable<string>): Promise<string[]> {
  let left = [...new Set(expressions)];
  for (const until = Date.now() + DATA_MS_MAX; left.length > 0 && Date.now() < until; await delay(500)) {
    const found = await Promise.all(left.map(async (expression) => hasNumber(await prometheus.query(expression))));
    left = left.filter((_, index) => !found[index]);
  }
  return left;
}

describe.skipIf(!hasPrometheus)('Prometheus', () => {
  beforeAll(async () => {
    prometheus = await Prometheus.start({ 'aril-api': stack.metrics.api, 'aril-runner': stack.metrics.runner });
    const cold = await upload(tenantWith(ORDER.adapter).apiKey);
    await load(cold, Date.now() + LOAD_MS);
  });
  afterAll(() => prometheus.stop());

  describe('dashboards', () => {
    const files = readdirSync(join(INFRA, 'grafana/dashboards'));
    it.each(files)('%s finds data with every expression', async (file) => {
      const { uid, panels } = JSON.parse(readFileSync(join(INFRA, 'grafana/dashboards', file), 'utf8')) as { uid: string; panels: { targets?: { expr: string }[] }[] };
      expect(`${uid}.json`).toBe(file);
      const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
      expect(expressions.length).toBeGreaterThan(10);
      // As Grafana fills its variables in, for a window that has all of the load in it.
      expect(await withoutData(expressions.map((each) => each.replaceAll('$__rate_interval', '10m').replaceAll('$base_model', '.*')))).toEqual([]);
    });
  });

  describe('alert rules', () => {
    const rules = join(INFRA, 'prometheus/rules.yml');

    it('are sound, and fire for what they are about', async () => {
      expect(await prometheus.promtool(['check', 'rules', rules])).toContain('SUCCESS');
      expect(await prometheus.promtool(['check', 'config', join(INFRA, 'prometheus/prometheus.yml')])).toContain('SUCCESS');
      expect(await prometheus.promtool(['test', 'rules', join(INFRA, 'prometheus/rules.test.yml')])).toContain('SUCCESS');
    });

    it('have a test each, and a word on what to do', () => {
      const alerts = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
      const tests = readFileSync(join(INFRA, 'prometheus/rules.test.yml'), 'utf8');
      const docs = readFileSync(join(INFRA, '../docs/metrics.md'), 'utf8');
      expect(alerts.filter((name) => !tests.includes(`alertname: ${name},`))).toEqual([]);
      expect(alerts.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
    });

    it('look at what is there, and none fires for a stack that is well', async () => {
      // No server error has been made on purpose.
      const text = readFileSync(rules, 'utf8').replace(/^\s*#.*$/gm, '').replace('status="5xx"', 'status="2xx"');
      const recorded = [...text.matchAll(/- record: (\S+)/g)].map(([, name]) => name!);
      const selectors = [...text.matchAll(/\b((?:aril|nodejs)_\w+|up)(\{[^}]*\})?(?=[[\s)])/g)].map(([selector]) => selector);
      expect(selectors.length).toBeGreaterThan(30);
      expect(await withoutData([...recorded, ...selectors])).toEqual([]);
      expect((await prometheus.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric['alertname'])).toEqual([]);
    });
  });

  it('are in the format that promtool expects, in names that it likes', async () => {
    for (const url of Object.values(stack.metrics)) {
      const text = await (await fetch(`${url}/metrics`)).text();
      // prom-client's own are what others' dashboards ask for by name.
      const ours = text.split('\n').filter((line) => /^(# \w+ )?aril_/.test(line)).join('\n');
      expect(await prometheus.promtool(['check', 'metrics'], `${ours}\n`)).toBe('');
    }
  });
});

it('a request is followed through the logs of API and runner by its id and its trace', async () => {
  const [requestId, traceId] = [`followed-${Date.now()}`, '0af7651916cd43dd8448eb211c80319c'];
  await ask(ORDER.adapter, ORDER.adapter, ORDER.prompt, true, { 'x-request-id': requestId, traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  const linesOf = (log: string): Record<string, unknown>[] =>
    readFileSync(join(stack.home, 'logs', log), 'utf8').split('\n').filter((line) => line.includes(requestId)).map((line) => JSON.parse(line) as Record<string, unknown>);
  const ended = (): Record<string, unknown>[] => linesOf('runner.log').filter(({ msg }) => msg === 'generation ended');
  const ofApi = (message: string): Record<string, unknown> | undefined => linesOf('api.log').find(({ msg }) => msg === message);
  const answered = (): Record<string, unknown> | undefined => ofApi('POST /v1/chat/completions 200');
  // Each writes its line when it has told the answer, which its reader may have first.
  await eventually('both to have written of it', () => Promise.resolve(ended().length > 0 && answered() !== undefined));
  const queued = ofApi('generation queued');
  expect(queued).toMatchObject({ requestId, traceId, generationId: expect.any(String), tenantId: expect.any(String) });
  expect(answered()).toMatchObject({ requestId, traceId });
  expect(ended()).toMatchObject([{ requestId, traceId, generationId: queued!['generationId'] }]);
  expect(readFileSync(join(stack.home, 'logs', 'api.log'), 'utf8')).not.toContain(ORDER.prompt);
});

it('the public address tells nothing of it', async () => {
  for (const path of ['/metrics', '/api/metrics', '/v1/metrics']) expect((await fetch(`${stack.apiUrl}${path}`)).status).toBe(404);
  expect((await fetch(`${stack.portalUrl}/metrics`, { redirect: 'manual' })).status).not.toBe(200);
});
