/** What becomes of generations whose API process dies with its connections. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AttendanceService } from '../src/core/generations/attendance.service.js';
import { find, ledgerOf } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { ScriptedRunner, tell, until } from './scripted-runner.js';

const ATTENDED = 'aril:api:attended';

describe('an API process that dies', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let attendance: AttendanceService;
  let key: { authorization: string };
  beforeAll(async () => {
    test = await startApp();
    ({ key } = await createTenant(test));
    runner = new ScriptedRunner(test);
    attendance = test.app.get(AttendanceService, { strict: false });
  });
  afterEach(() => {
    runner.script = tell;
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const ask = (headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${test.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...key, ...headers },
      body: JSON.stringify({ model: TEST_MODEL, messages: [{ role: 'user', content: 'Hi' }] }),
    });
  const attended = (): Promise<Record<string, string>> => runner.redis.hgetall(ATTENDED);
  /** A generation with one token that goes on until it is cancelled, which its runner listens for by now. */
  async function running(headers: Record<string, string> = {}): Promise<{ id: string; answer: Promise<Response> }> {
    let answer: Promise<Response> | undefined;
    const id = await new Promise<string>((resolve) => {
      runner.script = async (run) => {
        await run.tokens('Once');
        const cancelled = run.cancelled();
        resolve(run.job.generationId);
        await cancelled;
        await run.finish('cancelled');
      };
      answer = ask(headers);
    });
    return { id, answer: answer as Promise<Response> };
  }

  it('leaves nothing that goes on for callers who are gone; what there was is billed', async () => {
    const { id, answer } = await running();
    expect(Object.keys(await attended())).toContain(id);
    await runner.redis.del(`aril:api:${attendance.processId}:alive`);
    await attendance.sweep();
    expect(await (await answer).json()).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    const generation = await until(async () => (await find(test, key, id)).finishedAt !== null && find(test, key, id));
    expect(generation).toMatchObject({ status: 'CANCELLED', completionTokens: 1 });
    expect(await ledgerOf(test, id)).toHaveLength(1);
    expect(await attended()).toEqual({});
  });

  it('takes nothing from those who are answered by another', async () => {
    const { id, answer } = await running();
    await runner.redis.hset(ATTENDED, '00000000-0000-7000-8000-000000000000', JSON.stringify({ tenantId: '00000000-0000-7000-8000-000000000000', processId: 'gone' }));
    await attendance.sweep();
    expect(Object.keys(await attended())).toEqual([id]);
    expect((await find(test, key, id)).status).toBe('RUNNING');
    await runner.redis.publish('aril:cancel', id);
    await answer;
    await until(async () => Object.keys(await attended()).length === 0);
  });

  it('leaves what its caller will ask for again', async () => {
    const { id, answer } = await running({ 'idempotency-key': 'again' });
    expect(await attended()).toEqual({});
    await runner.redis.publish('aril:cancel', id);
    await answer;
  });
});
