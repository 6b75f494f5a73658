import type { AdapterRef } from '@aril/contracts';
import { freePort } from '@aril/local-services';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { differences, documentedMetrics, exportedMetrics } from '../../../packages/metrics/test/documented.js';
import { aJob, eventually, TENANT_ID, World } from './support/fixtures.js';
import { RunnerProcess, startScripted, type LocalRunner } from './support/runners.js';

const MODEL_DIR = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../packages/sgmv-native/test/fixtures/stories260k');
const TRACE = { requestId: 'my-request-42', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

let world: World;
let runner: LocalRunner | undefined;
let real: RunnerProcess | undefined;
beforeAll(async () => {
  world = await World.create();
});
afterEach(async () => {
  await Promise.all([runner?.runner.stop(), real?.kill()]);
  runner = real = undefined;
  await world.redis.flushall();
});
afterAll(() => world.destroy());

/** Of one series; undefined: there is none. */
function valueIn(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('metrics of a runner', () => {
  const read = (): Promise<string> => runner!.registry.metrics();
  const value = async (series: string): Promise<number | undefined> => valueIn(await read(), series);
  const ended = (count: number): Promise<unknown> =>
    eventually('ends', 10_000, async () => ((await value('aril_runner_generation_seconds_count')) === count ? true : null));

  it('count generations by how they ended, their tokens and their times', async () => {
    runner = await startScripted(world);
    const enqueuedAtMs = Date.now() - 3_000;
    await world.enqueue(aJob({ sampling: { maxTokens: 10 }, enqueuedAtMs }));
    await world.enqueue(aJob({ input: { kind: 'prompt', prompt: '<refuse>' } }));
    await ended(2);
    expect(await value('aril_runner_generations_total{outcome="length"}')).toBe(1);
    expect(await value('aril_runner_generations_total{outcome="error"}')).toBe(1);
    expect(await value('aril_runner_generations_total{outcome="lost"}')).toBe(0);
    expect(await value('aril_runner_generation_errors_total{code="BAD_INPUT"}')).toBe(1);
    expect(await value('aril_runner_output_tokens_total')).toBe(10);
    expect(await value('aril_runner_prompt_tokens_total')).toBe('Once upon a time'.length);
    // From the admission by the API on, which was three seconds ago; the one that failed had no token.
    for (const name of ['queue', 'time_to_first_token']) {
      expect([name, await value(`aril_runner_${name}_seconds_count`)]).toEqual([name, 1]);
      expect([name, await value(`aril_runner_${name}_seconds_bucket{le="2"}`)]).toEqual([name, 0]);
      expect([name, await value(`aril_runner_${name}_seconds_bucket{le="8"}`)]).toEqual([name, 1]);
    }
    // Nine intervals of steps of 2 ms or more.
    expect(await value('aril_runner_time_per_output_token_seconds_count')).toBe(1);
    expect(await value('aril_runner_time_per_output_token_seconds_sum')).toBeGreaterThan(0.001);
    expect(await value('aril_runner_generations')).toBe(0);
    expect(await value('aril_runner_paused')).toBe(0);
  });

  it('tell where adapters are, how they came and what went', async () => {
    runner = await startScripted(world, { ADAPTER_CACHE_BYTES: '20' });
    const adapters = [await world.putAdapter({}, Buffer.from('first one')), await world.putAdapter({}, Buffer.from('second one'))];
    for (const adapter of adapters) await world.enqueue(aJob({ adapter, sampling: { maxTokens: 2 } }));
    await ended(2);
    expect(await value('aril_runner_adapter_fetch_seconds_count{outcome="fetched"}')).toBe(2);
    expect(await value('aril_runner_adapter_fetch_seconds_count{outcome="failed"}')).toBe(0);
    expect(await value('aril_runner_adapter_wait_seconds_count')).toBe(2);
    expect(await value('aril_runner_adapter_cache_limit_bytes')).toBe(20);
    expect(await value('aril_runner_disk_bytes{kind="free"}')).toBeGreaterThan(0);
    const bytes = (adapter: AdapterRef): number => adapter.files.reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes(adapters[0]!) + bytes(adapters[1]!)).toBeGreaterThan(20);
    const kept = await value('aril_runner_adapter_cache_adapters');
    expect(kept! + (await value('aril_runner_adapter_cache_evictions_total'))!).toBe(2);
  });

  it('hold nothing of tenants', async () => {
    runner = await startScripted(world);
    const adapter = await world.putAdapter({}, Buffer.from('of a tenant'));
    await world.enqueue(aJob({ adapter, sampling: { maxTokens: 2 } }));
    await ended(1);
    const text = await read();
    for (const secret of [TENANT_ID, adapter.sha256, 'Once upon']) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
  });
});

it('a runner process serves them with those of its engine; its log names the request', async () => {
  const port = await freePort();
  real = await RunnerProcess.start(world, 'real', { MODEL_DIR, ENGINE_THREADS: '1', KV_BYTES: String(64 << 20), METRICS_PORT: String(port) });
  const folder = path.join(MODEL_DIR, 'adapters', 'a');
  const config: unknown = JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8'));
  const adapter = await world.putAdapter(config, await readFile(path.join(folder, 'adapter_model.safetensors')));
  const jobs = [aJob({ sampling: { ignoreEos: true } }), aJob({ adapter, trace: TRACE, sampling: { ignoreEos: true } })];
  for (const job of jobs) await world.enqueue(job);
  await Promise.all(jobs.map(({ generationId }) => world.settlement(generationId)));

  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const value = (series: string): number | undefined => valueIn(text, series.replace('}', series.includes('{}') ? 'base_model="test-model"}' : ',base_model="test-model"}'));
  expect(value('aril_engine_generated_tokens_total{}')).toBe(80);
  const steps = value('aril_engine_step_seconds_count{}')!;
  const accepted = value('aril_engine_accepted_tokens_total{}')!;
  expect(value('aril_engine_drafted_tokens_total{}')).toBeGreaterThanOrEqual(accepted);
  expect(steps + accepted).toBeGreaterThanOrEqual(40);
  expect(value('aril_engine_step_sequences_sum{}')! + accepted).toBeGreaterThanOrEqual(80);
  for (const of of ['sequences', 'tokens', 'segments']) expect(value(`aril_engine_step_${of}_count{}`)).toBe(steps);
  // Every step of the adapted one has its segment.
  expect(value('aril_engine_step_segments_sum{}')! + accepted).toBeGreaterThanOrEqual(40);
  expect(value('aril_engine_adapter_load_seconds_count{}')).toBe(1);
  expect(value('aril_engine_adapter_bytes{}')).toBeGreaterThan(0);
  expect(value('aril_engine_kv_used_bytes{}')).toBe(0);
  expect(value('aril_engine_kv_limit_bytes{}')).toBeGreaterThan(0);
  expect(text).toMatch(/^aril_engine_info\{version="[^"]+",device="cpu",model_type="llama",weight_type="int8",adapter_type="int8",kv_type="f16",base_model="test-model"\} 1$/m);
  expect(text).toContain('nodejs_eventloop_lag_seconds{');
  const ours = /^aril_(runner|engine)_/;
  expect(differences(documentedMetrics(ours), exportedMetrics(text, ours, ['base_model']))).toEqual([]);

  const lines = real.output.split('\n').filter((line) => line.includes('generation ended')).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.find(({ generationId }) => generationId === jobs[1]!.generationId)).toMatchObject({ tenantId: TENANT_ID, requestId: TRACE.requestId, traceId: TRACE.traceparent.slice(3, 35) });
  expect(lines.find(({ generationId }) => generationId === jobs[0]!.generationId)).not.toHaveProperty('requestId');
});
