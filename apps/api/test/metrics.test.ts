/** What Prometheus is told of the API; and what is said in the logs, by which a request is followed. */
import { freePort } from '@aril/local-services';
import { Registry } from '@aril/metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveMetrics } from '../src/base/metrics/serve-metrics.js';
import { createLogger } from '../src/base/logging/logger.js';
import { TenantActivity } from '../src/core/generations/tenant-activity.js';
import { differences, documentedMetrics, exportedMetrics } from '../../../packages/metrics/test/documented.js';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { startGeneration, tryGenerate } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { gate, ScriptedRunner, tell, until } from './scripted-runner.js';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('metrics of the API', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  const read = (): Promise<string> => test.app.get<Registry>(Registry).metrics();
  /** Of one series; undefined: there is none. */
  const value = async (series: string): Promise<number | undefined> => {
    const line = (await read()).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  const chat = (headers: Record<string, string> = {}, body: object = {}): Promise<Response> =>
    fetch(`${test.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...tenant.key, ...headers },
      body: JSON.stringify({ model: TEST_MODEL, messages: [{ role: 'user', content: 'a secret prompt' }], ...body }),
    });

  beforeAll(async () => {
    test = await startApp();
    tenant = await createTenant(test);
    runner = new ScriptedRunner(test);
    await bringAdapter(test, tenant.key, 'tales', fixture('a'));
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('are not served by the API itself', async () => {
    expect((await fetch(`${test.url}/metrics`)).status).toBe(404);
  });

  it('are served on a port of their own if there is one', async () => {
    const port = await freePort();
    const logger = createLogger({ LOG_LEVEL: 'silent', LOG_PRETTY: false });
    await serveMetrics(test.app, { ...test.config, METRICS_PORT: 0 }, logger);
    await serveMetrics(test.app, { ...test.config, METRICS_PORT: port }, logger);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toContain('aril_api_dependency_up{service="postgres"} 1\n');
    expect(text).toContain('process_cpu_user_seconds_total');
  });

  it('count a generation from its admission to its charge', async () => {
    expect((await chat({}, { model: 'tales' })).status).toBe(200);
    expect((await chat()).status).toBe(200);
    await until(async () => (await value('aril_api_settlements_total{outcome="applied"}')) === 2);
    expect(await value(`aril_api_generations_admitted_total{base_model="${TEST_MODEL}",target="adapter"}`)).toBe(1);
    expect(await value(`aril_api_generations_admitted_total{base_model="${TEST_MODEL}",target="base_model"}`)).toBe(1);
    expect(await value('aril_api_settlement_lag_seconds_count')).toBe(2);
    expect(await value(`aril_api_charged_usd_total{base_model="${TEST_MODEL}"}`)).toBeGreaterThan(0);
    expect(await value('aril_api_http_request_seconds_count{method="POST",route="/v1/chat/completions",status="2xx"}')).toBe(2);
    expect(await value('aril_api_adapter_uploads_total{outcome="ready"}')).toBe(1);
    expect(await value('aril_api_adapter_upload_bytes_total')).toBeGreaterThan(0);
    expect(await value('aril_api_active_tenants')).toBe(1);
    expect(await value('aril_api_largest_tenant_ratio')).toBe(1);
  });

  it('count what is refused, by its code', async () => {
    expect((await chat({}, { model: 'nothing-of-that-name' })).status).toBe(404);
    expect(await value('aril_api_generations_refused_total{code="MODEL_NOT_FOUND"}')).toBe(1);
    expect(await value('aril_api_generations_refused_total{code="RATE_LIMITED"}')).toBe(0);
    const limited = await startApp({ TENANT_REQUESTS_PER_MINUTE: '1' });
    try {
      const { key } = await createTenant(limited);
      await startGeneration(limited, key);
      expect((await tryGenerate(limited, key)).errors?.[0]?.extensions.reason).toBe('RATE_LIMITED');
      expect(await limited.app.get<Registry>(Registry).metrics()).toContain('aril_api_generations_refused_total{code="RATE_LIMITED"} 1\n');
    } finally {
      await limited.stop();
    }
  });

  it('tell of what waits and who follows', async () => {
    const held = gate();
    runner.script = async (run) => {
      await run.tokens('Once');
      await held.opened;
      await run.finish('stop');
    };
    const answer = chat({}, { stream: true });
    await until(async () => (await value('aril_api_open_streams')) === 1);
    expect(await value(`aril_api_queue_jobs{base_model="${TEST_MODEL}",state="active"}`)).toBe(1);
    expect(await value(`aril_api_queue_jobs{base_model="${TEST_MODEL}",state="waiting"}`)).toBe(0);
    expect(await value('aril_api_settlement_queue_jobs{state="failed"}')).toBe(0);
    expect(await value('aril_api_database_connections{pool="tenant",kind="limit"}')).toBe(test.config.DATABASE_CONNECTIONS);
    expect(await value('aril_api_database_connections{pool="tenant",kind="open"}')).toBeGreaterThan(0);
    expect(await value(`aril_api_runners_online{base_model="${TEST_MODEL}"}`)).toBe(0);
    held.open();
    await (await answer).text();
    await until(async () => (await value('aril_api_open_streams')) === 0);
    runner.script = tell;
  });

  it('have as many series as there are routes, whatever is asked for', async () => {
    const series = async (): Promise<number> => (await read()).split('\n').filter((line) => line.startsWith('aril_api_http_request_seconds_count')).length;
    await fetch(`${test.url}/nowhere/0`);
    await fetch(`${test.url}/graphql/0`);
    await fetch(`${test.url}/statements/2026-01.csv`, { headers: tenant.key });
    const before = await series();
    for (let i = 1; i < 20; i++) {
      await fetch(`${test.url}/nowhere/${i}`);
      await fetch(`${test.url}/graphql/${i}`);
      await fetch(`${test.url}/statements/2026-0${1 + (i % 9)}.csv`, { headers: tenant.key });
    }
    expect(await series()).toBe(before);
  });

  it('say which service does not answer, and lose nothing else for it', async () => {
    const bucket = { S3_BUCKET: 'aril', S3_ENDPOINT: 'http://127.0.0.1:9', S3_ACCESS_KEY_ID: 'key', S3_SECRET_ACCESS_KEY: 'secret' };
    const broken = await startApp(bucket);
    try {
      const text = await broken.app.get<Registry>(Registry).metrics();
      expect(text).toContain('aril_api_dependency_up{service="object_store"} 0\n');
      expect(text).toContain('aril_api_dependency_up{service="postgres"} 1\n');
      expect(text).toContain(`aril_api_queue_jobs{base_model="${TEST_MODEL}",state="waiting"} 0\n`);
    } finally {
      await broken.stop();
    }
  });

  it('are those of docs/metrics.md, all of them and no others', async () => {
    const ours = /^aril_api_/;
    expect(differences(documentedMetrics(ours), exportedMetrics(await read(), ours))).toEqual([]);
  });

  it('hold nothing of tenants: no id, no name, no address, no prompt', async () => {
    const text = await read();
    for (const secret of [tenant.id, tenant.user.email, tenant.user.tenantName, 'secret prompt', 'tales', tenant.key.authorization.slice(7)]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
  });

  it('hand the request id and the trace on to the runner; what is no trace is left out', async () => {
    const jobs: unknown[] = [];
    runner.script = async (run) => {
      jobs.push(run.job.trace);
      await tell(run);
    };
    await chat({ 'x-request-id': 'my-request-42', traceparent: TRACEPARENT });
    await chat({ 'x-request-id': 'my-request-43', traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01' });
    runner.script = tell;
    expect(jobs).toEqual([{ requestId: 'my-request-42', traceparent: TRACEPARENT }, { requestId: 'my-request-43' }]);
  });
});

describe('the activity of tenants', () => {
  it('is that of the last five minutes', () => {
    const activity = new TenantActivity();
    const minute = 60_000;
    expect(activity.summary(0)).toEqual({ tenants: 0, largestShare: 0 });
    activity.note('a', 0);
    activity.note('a', minute);
    activity.note('b', minute);
    activity.note('a', 2 * minute);
    expect(activity.summary(4 * minute)).toEqual({ tenants: 2, largestShare: 0.75 });
    expect(activity.summary(5 * minute)).toEqual({ tenants: 2, largestShare: 2 / 3 });
    expect(activity.summary(7 * minute)).toEqual({ tenants: 0, largestShare: 0 });
  });
});
