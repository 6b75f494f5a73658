import { generationStreamKey, PREDICTION_CHARS_MAX } from '@aril/contracts';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTenant, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { all, overSse } from './event-followers.js';
import { find, generate } from './generation-fixtures.js';
import { openaiClient } from './openai-client.js';
import { ScriptedRunner, until } from './scripted-runner.js';

const TEXT = 'class User {\n  lastName = "";\n}';
const MESSAGES = [{ role: 'user' as const, content: 'Rename it.' }];
const DETAILS = { reasoning_tokens: 0, accepted_prediction_tokens: 5, rejected_prediction_tokens: 3 };

describe('predicted outputs', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let client: OpenAI;
  let key: Awaited<ReturnType<typeof createTenant>>['key'];
  beforeAll(async () => {
    test = await startApp();
    ({ key } = await createTenant(test));
    runner = new ScriptedRunner(test);
    client = openaiClient(test, key);
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });
  beforeEach(() => {
    runner.script = async (run) => {
      run.predictionTokens = run.job.prediction === undefined ? undefined : { accepted: 5, rejected: 3 };
      await run.tokens(TEXT, 8);
      await run.finish('stop');
    };
  });

  const create = (prediction: OpenAI.ChatCompletionPredictionContent | null | undefined, headers: Record<string, string> = {}) =>
    client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, prediction }, { headers });
  const predictionOf = () => runner.jobs.at(-1)?.prediction;

  it('come to the runner, as a text or in parts, and are counted', async () => {
    const { usage } = await create({ type: 'content', content: TEXT });
    expect(usage).toMatchObject({ completion_tokens: 8, completion_tokens_details: DETAILS });
    expect(predictionOf()).toBe(TEXT);
    await create({ type: 'content', content: [{ type: 'text', text: TEXT.slice(0, 9) }, { type: 'text', text: TEXT.slice(9) }] });
    expect(predictionOf()).toBe(TEXT);
  });

  it('are counted at the end of a stream', async () => {
    const stream = await client.chat.completions.create({ model: TEST_MODEL, messages: MESSAGES, prediction: { type: 'content', content: TEXT }, stream: true, stream_options: { include_usage: true } });
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) usage = chunk.usage ?? usage;
    expect(usage?.completion_tokens_details).toEqual(DETAILS);
  });

  it('are counted the same when the stream is gone', async () => {
    const headers = { 'idempotency-key': 'predicted' };
    await create({ type: 'content', content: TEXT }, headers);
    const { generationId } = runner.jobs.at(-1)!;
    await until(() => runner.redis.del(generationStreamKey(generationId)));
    expect((await create({ type: 'content', content: TEXT }, headers)).usage?.completion_tokens_details).toEqual(DETAILS);
    await expect(create({ type: 'content', content: 'another' }, headers)).rejects.toMatchObject({ status: 409 });
  });

  it.each([[undefined], [null], [{ type: 'content' as const, content: '' }]])('may be %j, which predicts nothing', async (prediction) => {
    expect((await create(prediction)).usage?.completion_tokens_details).toEqual({ reasoning_tokens: 0 });
    expect(predictionOf()).toBeUndefined();
  });

  it.each([
    ['a text', 'prediction'],
    [{ content: TEXT }, 'prediction.type'],
    [{ type: 'text', content: TEXT }, 'prediction.type'],
    [{ type: 'content' }, 'prediction.content'],
    [{ type: 'content', content: 7 }, 'prediction.content'],
    [{ type: 'content', content: [] }, 'prediction.content'],
    [{ type: 'content', content: [{ type: 'image_url', image_url: { url: 'x' } }] }, 'prediction.content'],
    [{ type: 'content', content: 'x'.repeat(PREDICTION_CHARS_MAX + 1) }, 'prediction.content'],
  ])('are refused as %j', async (prediction, param) => {
    const failure = await create(prediction as never).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ status: 400, param, message: expect.stringContaining(`${param}: `) as string });
  });

  it("are part of GraphQL's input, and counted in its answer and its last event", async () => {
    const answer = await generate(test, key, { prompt: 'Rename it.', prediction: TEXT });
    expect(predictionOf()).toBe(TEXT);
    expect(answer).toMatchObject({ completionTokens: 8, predictionTokens: { accepted: 5, rejected: 3 } });
    expect(await find(test, key, answer.id)).toEqual(answer);
    expect((await all(overSse(test, key, answer.id))).at(-1)).toMatchObject({ __typename: 'GenerationEnd', predictionTokens: { accepted: 5, rejected: 3 } });
    await runner.redis.del(generationStreamKey(answer.id));
    expect((await all(overSse(test, key, answer.id))).at(-1)).toMatchObject({ predictionTokens: { accepted: 5, rejected: 3 } });
    expect(await generate(test, key, { prompt: 'Rename it.' })).toMatchObject({ predictionTokens: null });
  });
});
