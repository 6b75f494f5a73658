/** An API that is told to end, as in a rolling change, while answers are under way. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { find, ledgerOf } from './generation-fixtures.js';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { postCompletion } from './limit-fixtures.js';
import { gate, ScriptedRunner, until } from './scripted-runner.js';

describe('an API that ends', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let begun: ReturnType<typeof gate>;
  let rest: ReturnType<typeof gate>;
  afterEach(async () => {
    rest.open();
    await runner.close();
    await test.stop();
  });

  async function start(drainTimeoutS: string): Promise<void> {
    test = await startApp({ DRAIN_TIMEOUT_S: drainTimeoutS });
    one = await createTenant(test);
    runner = new ScriptedRunner(test);
    [begun, rest] = [gate(), gate()];
    runner.script = async (run) => {
      await run.tokens('Once');
      begun.open();
      await rest.opened;
      await run.tokens(' upon a time');
      await run.finish('stop');
    };
  }
  const ask = (stream: boolean): Promise<Response> => postCompletion(test, one.key, { model: TEST_MODEL, prompt: 'A story', stream });
  const refusesConnections = (): Promise<true | null> => fetch(`${test.url}/health`).then(() => null, () => true as const);

  it('lets nobody in, gives whoever is in the whole answer, and bills it', async () => {
    await start('50');
    const idle = connect(Number(new URL(test.url).port), '127.0.0.1');
    await once(idle, 'connect');
    const streamed = await ask(true);
    const whole = ask(false);
    await begun.opened;
    const body = streamed.text();
    await until(() => runner.jobs.length === 2);
    const restarted = test.restart();
    await once(idle, 'close');
    await until(refusesConnections);
    rest.open();
    expect(await body).toMatch(/"text":"Once"[^]*"text":" upon a time"[^]*data: \[DONE\]\n\n$/);
    const answer = await whole;
    expect(answer.headers.get('connection')).toBe('close');
    expect(await answer.json()).toMatchObject({ choices: [{ text: 'Once upon a time', finish_reason: 'stop' }] });
    await restarted;
    for (const { generationId } of runner.jobs) {
      await until(async () => (await find(test, one.key, generationId)).finishedAt !== null);
      expect(await ledgerOf(test, generationId)).toMatchObject([{ completion_tokens: 2, failed: false }]);
    }
  });

  it('tells whoever takes longer than there is time to come back', async () => {
    await start('0');
    const streamed = await ask(true);
    const whole = ask(false);
    await begun.opened;
    await until(() => runner.jobs.length === 2);
    const restarted = test.restart();
    expect(await streamed.text()).toMatch(/"text":"Once"[^]*event: error\ndata: .*restarting/);
    expect((await whole).status).toBe(503);
    await restarted;
  });
});
