/** Batches as the official client knows them. */
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import OpenAI, { toFile } from 'openai';
import { BatchFilePurge } from '../src/core/batches/files/batch-file-purge.js';
import { newest } from './audit-fixtures.js';
import { CHAT, chatLine, chatLines, ended, jsonl, resultsOf, startBatch, uploadInput } from './batch-fixtures.js';
import { createDeployment } from './deployment-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, data, graphql, ORIGIN, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { limitsOf, postCompletion, setLimits } from './limit-fixtures.js';
import { openaiClient } from './openai-client.js';
import { say, ScriptedRunner, tell, until } from './scripted-runner.js';

const BYTES_MAX = 60_000;

describe('a batch', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let tenant: Awaited<ReturnType<typeof createTenant>>;
  let client: OpenAI;
  let stranger: OpenAI;
  beforeAll(async () => {
    test = await startApp({ BATCH_FILE_BYTES_MAX: String(BYTES_MAX), BATCH_PARALLEL_REQUESTS: '8', TENANT_WAITING_MAX: '3' });
    tenant = await createTenant(test);
    runner = new ScriptedRunner(test);
    client = openaiClient(test, tenant.key);
    stranger = openaiClient(test, (await createTenant(test)).key);
  });
  afterEach(async () => {
    runner.script = tell;
    await runner.resume();
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const objects = async (): Promise<number> => (await sql(test, 'SELECT 1 FROM batch_files')).length;
  const counts = (batch: OpenAI.Batch) => [batch.status, batch.request_counts];

  it('is answered line by line, each once, in the order of its input', async () => {
    const batch = await startBatch(client, chatLines(30));
    expect(batch).toMatchObject({ object: 'batch', status: 'validating', endpoint: CHAT, completion_window: '24h', errors: null, output_file_id: null });
    const done = await ended(client, batch.id);
    expect(done).toMatchObject({ status: 'completed', request_counts: { total: 30, completed: 30, failed: 0 }, error_file_id: null });
    const results = await resultsOf(client, done.output_file_id);
    expect(results.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 30 }, (_, index) => String(index + 1)));
    for (const { response } of results) expect([response?.status_code, response?.body.choices?.[0]?.message?.content, response?.body['model']]).toEqual([200, 'Once upon a time', TEST_MODEL]);
    const ledger = await sql<{ api_key_id: string | null }>(test, 'SELECT api_key_id FROM ledger_entries WHERE tenant_id = $1', [tenant.id]);
    expect([ledger.length, ledger.filter(({ api_key_id: key }) => key === null)]).toEqual([30, []]);
    expect(await sql(test, 'SELECT 1 FROM batch_lines')).toEqual([]);
    // More at once than a tenant may ask live, and in the background throughout.
    expect(runner.jobs.every(({ background }) => background)).toBe(true);
    const { changes, actor } = await newest(test, tenant.user.cookie, 'batch.create');
    expect([changes, actor.type]).toEqual([expect.arrayContaining([{ field: 'endpoint', before: null, after: CHAT }]), 'API_KEY']);
  });

  it('takes completions, several prompts in a line, responses, and messages', async () => {
    const completion = { custom_id: 'two', method: 'POST', url: '/v1/completions', body: { model: TEST_MODEL, prompt: ['a', 'b'], echo: true } };
    runner.script = async (run) => {
      await run.prompt('', 'x');
      await run.tokens(' and more');
      await run.finish('stop');
    };
    const lineOf = (url: string, body: object) => [{ ...completion, url, body: { model: TEST_MODEL, ...body } }];
    const one = await startBatch(client, [completion], '/v1/completions');
    const other = await startBatch(client, lineOf('/v1/responses', { input: 'x' }), '/v1/responses');
    const third = await startBatch(client, lineOf('/v1/messages', { max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }), '/v1/messages');
    const [result] = await resultsOf(client, (await ended(client, one.id)).output_file_id);
    expect(result?.response?.body.choices?.map(({ text }) => text)).toEqual(['x and more', 'x and more']);
    const [response] = await resultsOf(client, (await ended(client, other.id)).output_file_id);
    expect(response?.response?.body).toMatchObject({ object: 'response', status: 'completed' });
    const [message] = await resultsOf(client, (await ended(client, third.id)).output_file_id);
    expect(message?.response?.body).toMatchObject({ type: 'message', stop_reason: 'end_turn' });
  });

  it('takes predictions, whose tokens are counted in the usage of their lines', async () => {
    runner.script = async (run) => {
      run.predictionTokens = run.job.prediction === undefined ? undefined : { accepted: run.job.prediction.length, rejected: 2 };
      await tell(run);
    };
    const lines = [chatLine(1, { prediction: { type: 'content', content: 'Once' } }), chatLine(2), chatLine(3, { prediction: { type: 'content', content: 'upon a time' } })];
    const results = await resultsOf(client, (await ended(client, (await startBatch(client, lines)).id)).output_file_id);
    expect(results.map(({ response }) => (response?.body['usage'] as OpenAI.CompletionUsage).completion_tokens_details)).toEqual([
      { reasoning_tokens: 0, accepted_prediction_tokens: 4, rejected_prediction_tokens: 2 },
      { reasoning_tokens: 0 },
      { reasoning_tokens: 0, accepted_prediction_tokens: 11, rejected_prediction_tokens: 2 },
    ]);
    const wrong = await ended(client, (await startBatch(client, [chatLine(1, { prediction: { type: 'content' } })])).id);
    expect(wrong.errors?.data).toMatchObject([{ code: 'invalid_request', line: 1, param: 'body.prediction.content' }]);
  });

  it.each<[string, unknown[], object[]]>([
    ['not JSON', [chatLine(1), '{"custom_id":'], [{ code: 'invalid_json_line', line: 2, param: null }]],
    ['without an id', [{ ...chatLine(1), custom_id: undefined }], [{ line: 1, param: 'custom_id', message: expect.stringContaining('custom_id: ') as string }]],
    ['of another method', [{ ...chatLine(1), method: 'GET' }], [{ line: 1, param: 'method', message: 'method: expected "POST", found "GET".' }]],
    ['of another endpoint', [{ ...chatLine(1), url: '/v1/completions' }], [{ code: 'mismatched_url', line: 1, param: 'url' }]],
    ['streamed', [chatLine(1), chatLine(2, { stream: true })], [{ line: 2, param: 'body.stream', message: 'stream: expected false, or to be left out, in a batch.' }]],
    ['with a wrong field', ['', chatLine(1, { temperature: 9 })], [{ code: 'invalid_request', line: 2, param: 'body.temperature', message: expect.stringMatching(/^temperature: .*found 9\.$/) as string }]],
    ['with an unknown field', [chatLine(1, { 'nul\0': 1 })], [{ line: 1, message: expect.stringContaining('Unrecognized request argument') as string }]],
    ['twice the same', [chatLine(1), chatLine(2), chatLine(1)], [{ code: 'duplicate_custom_id', line: 3, param: 'custom_id', message: expect.stringContaining('line 1') as string }]],
    ['wrong and wrong again', [chatLine(1, { n: 0 }), '5'], [{ line: 1 }, { line: 2 }]],
    ['missing', [' ', ''], [{ code: 'empty_file', line: null }]],
  ])('with a line that is %s is not begun', async (_what, lines, errors) => {
    const before = runner.jobs.length;
    const failed = await ended(client, (await startBatch(client, lines)).id);
    expect(failed).toMatchObject({ status: 'failed', output_file_id: null, errors: { object: 'list' } });
    expect(failed.errors?.data).toMatchObject(errors);
    expect(failed.errors?.data).toHaveLength(errors.length);
    expect(runner.jobs).toHaveLength(before);
  });

  it.each<[string, object, string]>([
    ['no file', { input_file_id: 'file-none' }, 'input_file_id'],
    ['no endpoint of these', { endpoint: '/v1/embeddings' }, 'endpoint'],
    ['another window', { completion_window: '1h' }, 'completion_window'],
    ['too much metadata', { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])) }, 'metadata'],
  ])('is refused with %s', async (_what, change, param) => {
    const input_file_id = await uploadInput(client, chatLines(1));
    const asked = { input_file_id, endpoint: CHAT as '/v1/completions', completion_window: '24h' as const, ...change };
    await expect(client.batches.create(asked)).rejects.toMatchObject({ param, message: expect.stringContaining(param) as string });
  });

  it('has the lines that fail in a file of their own', async () => {
    runner.script = (run) => (JSON.stringify(run.job.input).includes('Request 2') ? run.finish('error', { code: 'NUMERIC_ERROR', message: 'not a number' }).then(() => undefined) : tell(run));
    const lines = [chatLine(1), chatLine(2), chatLine(3, { model: 'nothing-such' }), chatLine(4, { max_tokens: 100_000 })];
    const done = await ended(client, (await startBatch(client, lines)).id);
    expect(counts(done)).toEqual(['completed', { total: 4, completed: 1, failed: 3 }]);
    expect((await resultsOf(client, done.output_file_id)).map(({ custom_id }) => custom_id)).toEqual(['1']);
    expect((await resultsOf(client, done.error_file_id)).map(({ custom_id, response, error }) => [custom_id, response?.status_code, response?.body.error?.code, error])).toEqual([
      ['2', 500, 'numeric_error', null],
      ['3', 404, 'model_not_found', null],
      ['4', 400, 'bad_input', null],
    ]);
  });

  it('tries again what fails for a passing reason, and charges what was answered', async () => {
    let failures = 0;
    runner.script = async (run) => {
      if (failures++ < 2) await run.finish('error', { code: 'RUNNER_LOST', message: 'lost' });
      else await say('Here')(run);
    };
    const done = await ended(client, (await startBatch(client, [chatLine('again')])).id);
    expect(counts(done)).toEqual(['completed', { total: 1, completed: 1, failed: 0 }]);
    const ledger = await sql<{ failed: boolean; amount_nano_usd: string }>(test, "SELECT l.failed, l.amount_nano_usd FROM ledger_entries l JOIN generations g ON g.id = l.generation_id WHERE g.idempotency_key LIKE $1 ORDER BY l.at, l.id", [`${done.id.replace('batch_', 'batch_')}/%`]);
    expect(ledger.map(({ failed }) => failed)).toEqual([true, true, false]);
    expect(ledger.map(({ amount_nano_usd: amount }) => BigInt(amount) > 0n)).toEqual([false, false, true]);
  });

  it('comes after what somebody waits for, and never fills the queue', async () => {
    await runner.pause();
    const batch = await startBatch(client, chatLines(30));
    const waiting = await until(async () => ((await runner.generations.getPrioritizedCount()) === 8 ? 8 : null));
    const live = postCompletion(test, tenant.key, { model: TEST_MODEL, prompt: 'live' });
    await until(async () => (await runner.generations.getPrioritizedCount()) === waiting + 1);
    const [first] = await runner.generations.getPrioritized(0, 0);
    expect((first?.data as { background: boolean }).background).toBe(false);
    await runner.resume();
    expect((await live).status).toBe(200);
    expect((await ended(client, batch.id)).request_counts?.completed).toBe(30);
  });

  it('that is cancelled keeps what was answered, and begins nothing any more', async () => {
    let begun = 0;
    runner.script = async (run) => {
      const cancelled = run.cancelled();
      if (JSON.stringify(run.job.input).includes('Request 1"')) return tell(run);
      await run.tokens('Once');
      begun++;
      await cancelled;
      await run.finish('cancelled');
    };
    const { id } = await startBatch(client, chatLines(20));
    // All that it may have at once, the first being answered.
    await until(() => begun === 8);
    expect((await client.batches.cancel(id)).status).toBe('cancelling');
    const done = await ended(client, id);
    expect(done).toMatchObject({ status: 'cancelled', request_counts: { total: 20, completed: 9, failed: 11 } });
    const reasons = (await resultsOf(client, done.output_file_id)).map(({ response }) => response?.body.choices?.[0]?.finish_reason);
    expect(reasons).toEqual(['stop', ...Array.from({ length: 8 }, () => 'length')]);
    const errors = await resultsOf(client, done.error_file_id);
    expect(errors.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 11 }, (_, index) => String(index + 10)));
    expect(new Set(errors.map(({ response, error }) => `${String(response)} ${error?.code}`))).toEqual(new Set(['null batch_cancelled']));
    expect((await client.batches.cancel(id)).status).toBe('cancelled');
    await newest(test, tenant.user.cookie, 'batch.cancel');
  });

  it('that waits too long expires: what waits is withdrawn and costs nothing', async () => {
    await runner.pause();
    const { id } = await startBatch(client, chatLines(12));
    await until(async () => (await runner.generations.getPrioritizedCount()) === 8);
    await sql(test, "UPDATE batches SET expires_at = now() WHERE status = 'IN_PROGRESS'");
    const done = await ended(client, id);
    expect(done).toMatchObject({ status: 'expired', request_counts: { total: 12, completed: 0, failed: 12 }, output_file_id: null });
    expect((await resultsOf(client, done.error_file_id)).map(({ custom_id, error }) => [custom_id, error?.code])).toEqual(Array.from({ length: 12 }, (_, index) => [String(index + 1), 'batch_expired']));
    expect(await runner.generations.getPrioritizedCount()).toBe(0);
    await expect(client.batches.cancel(id)).rejects.toMatchObject({ status: 409, message: expect.stringContaining('"expired"') as string });
  });

  it('is held to budgets, and not to rates and to requests at once', async () => {
    const other = await createTenant(test);
    const its = openaiClient(test, other.key);
    await setLimits(test, other.user, { requestsPerMinute: 1, tokensPerMinute: 10, parallelRequests: 1 });
    expect((await ended(its, (await startBatch(its, chatLines(5))).id)).request_counts).toEqual({ total: 5, completed: 5, failed: 0 });
    expect((await postCompletion(test, other.key, { model: TEST_MODEL, prompt: 'x', max_tokens: 1 })).status).toBe(200);
    const { spent } = (await limitsOf(test, other.user.cookie)).budget;
    await setLimits(test, other.user, { budgetHard: spent });
    const done = await ended(its, (await startBatch(its, chatLines(3))).id);
    expect(done.request_counts).toEqual({ total: 3, completed: 0, failed: 3 });
    expect((await resultsOf(its, done.error_file_id)).map(({ response }) => [response?.status_code, response?.body.error?.code])).toEqual(Array.from({ length: 3 }, () => [429, 'insufficient_quota']));
  });

  it('and its files are listed page by page, and are nobody else’s', async () => {
    const mine = await Promise.all([1, 2, 3].map((count) => startBatch(client, chatLines(count))));
    const listed: string[] = [];
    for await (const { id } of client.batches.list({ limit: 2 })) listed.push(id);
    expect(listed).toEqual(expect.arrayContaining(mine.map(({ id }) => id)));
    expect(new Set(listed).size).toBe(listed.length);
    const files: string[] = [];
    for await (const { id, purpose } of client.files.list({ limit: 2, purpose: 'batch', order: 'asc' })) files.push(`${id} ${purpose}`);
    expect(files).toEqual(expect.arrayContaining(mine.map(({ input_file_id: id }) => `${id} batch`)));
    const [{ id, input_file_id: file }] = mine as [OpenAI.Batch];
    await ended(client, id);
    const attempts = [
      () => stranger.batches.retrieve(id),
      () => stranger.batches.cancel(id),
      () => stranger.files.retrieve(file),
      () => stranger.files.content(file),
      () => stranger.files.delete(file),
      () => stranger.batches.create({ input_file_id: file, endpoint: CHAT as '/v1/completions', completion_window: '24h' }),
      () => client.batches.retrieve('batch_x'),
      () => client.files.retrieve(id),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ status: 404, code: 'not_found' });
    expect((await stranger.batches.list()).data).toEqual([]);
    expect((await stranger.files.list()).data).toEqual([]);
  });

  const createKey = async (input: object): Promise<{ its: OpenAI; id: string }> => {
    const query = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } } }';
    const { createApiKey: made } = await data(graphql<{ createApiKey: { secret: string; apiKey: { id: string } } }>(test, tenant.user.cookie, query, { input: { name: 'other', ...input } }));
    return { its: openaiClient(test, { authorization: `Bearer ${made.secret}` }), id: made.apiKey.id };
  };

  it('may name what its key may, and is the only one that such a key sees', async () => {
    await createDeployment(test, tenant.key, { slug: 'split' });
    const { its } = await createKey({ targets: ['split'] });
    const done = await ended(its, (await startBatch(its, [chatLine(1, { model: 'split' }), chatLine(2)])).id);
    expect(counts(done)).toEqual(['completed', { total: 2, completed: 1, failed: 1 }]);
    expect((await resultsOf(its, done.error_file_id)).map(({ custom_id, response }) => [custom_id, response?.body.error?.code])).toEqual([['2', 'model_not_found']]);
    expect((await its.batches.list()).data.map(({ id }) => id)).toEqual([done.id]);
    expect((await its.files.list()).data.map(({ id }) => id).sort()).toEqual([done.input_file_id, done.output_file_id, done.error_file_id].sort());
    const other = await ended(client, (await startBatch(client, chatLines(1))).id);
    for (const attempt of [() => its.batches.retrieve(other.id), () => its.files.content(other.output_file_id!)]) await expect(attempt()).rejects.toMatchObject({ status: 404 });
    expect((await client.batches.retrieve(done.id)).id).toBe(done.id);
  });

  it('whose key is revoked has the answers of what was begun, and no others', async () => {
    const { its, id } = await createKey({});
    await runner.pause();
    const batch = await startBatch(its, chatLines(10));
    await until(async () => (await runner.generations.getPrioritizedCount()) === 8);
    await data(graphql(test, tenant.user.cookie, 'mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKeyId } }', { id }));
    await runner.resume();
    const done = await ended(client, batch.id);
    expect(counts(done)).toEqual(['completed', { total: 10, completed: 8, failed: 2 }]);
    expect((await resultsOf(client, done.error_file_id)).map(({ custom_id, response }) => [custom_id, response?.status_code])).toEqual([['9', 401], ['10', 401]]);
  });

  it('is started, watched and cancelled by people as well', async () => {
    type Seen = { id: string; status: string; total: number; completed: number; inputFileName: string | null; inputFileId: string; outputFileId: string | null };
    const fields = 'id status total completed inputFileName inputFileId outputFileId';
    const form = new FormData();
    form.set('file', new Blob([jsonl(chatLines(2))]), 'mine.jsonl');
    form.set('purpose', 'batch');
    const sent = await fetch(`${test.url}/batch-files`, { method: 'POST', headers: { ...tenant.user.cookie, origin: ORIGIN }, body: form });
    const { id: inputFileId } = (await sent.json()) as { id: string };
    const create = 'mutation ($input: CreateBatchInput!) { createBatch(input: $input) { batch { id } } }';
    const { createBatch } = await data(graphql<{ createBatch: { batch: Seen } }>(test, tenant.user.cookie, create, { input: { inputFileId, endpoint: CHAT } }));
    await ended(client, createBatch.batch.id);
    const { tenant: seen } = await data(graphql<{ tenant: { batches: { nodes: Seen[] } } }>(test, tenant.user.cookie, `{ tenant { batches(first: 1) { nodes { ${fields} } } } }`));
    expect(seen.batches.nodes).toMatchObject([{ id: createBatch.batch.id, status: 'COMPLETED', total: 2, completed: 2, inputFileName: 'mine.jsonl', inputFileId }]);
    const output = await fetch(`${test.url}/batch-files/${seen.batches.nodes[0]?.outputFileId}`, { headers: tenant.user.cookie });
    expect([output.status, output.headers.get('content-disposition'), (await output.text()).split('\n').length]).toEqual([200, expect.stringContaining('attachment'), 3]);
    expect((await newest(test, tenant.user.cookie, 'batch.create')).actor.type).toBe('USER');
    const { errors } = await graphql(test, tenant.user.cookie, 'mutation ($id: ID!) { cancelBatch(input: { batchId: $id }) { batch { id } } }', { id: createBatch.batch.id });
    expect(errors?.[0]?.extensions.code).toBe('CONFLICT');
    const foreign = await fetch(`${test.url}/batch-files`, { method: 'POST', headers: { ...tenant.user.cookie, origin: 'https://evil.example' }, body: form });
    expect(foreign.status).toBe(403);
  });

  it('holds its input until it has ended; what is deleted or has expired leaves the store', async () => {
    await runner.pause();
    const { id, input_file_id: file } = await startBatch(client, chatLines(1));
    await expect(client.files.delete(file)).rejects.toMatchObject({ status: 409 });
    await sql(test, "UPDATE batch_files SET expires_at = now() - interval '1 second' WHERE id = $1", [file.replace('file-', '')]);
    const purge = test.app.get(BatchFilePurge, { strict: false });
    await purge.sweep();
    await runner.resume();
    const done = await ended(client, id);
    expect(counts(done)).toEqual(['completed', { total: 1, completed: 1, failed: 0 }]);
    const before = await objects();
    await expect(client.files.retrieve(file)).rejects.toMatchObject({ status: 404 });
    expect(await client.files.delete(done.output_file_id!)).toEqual({ id: done.output_file_id, object: 'file', deleted: true });
    await purge.sweep();
    expect(await objects()).toBe(before - 2);
    await newest(test, tenant.user.cookie, 'batchFile.delete');
  });

  /** An upload whose client dies in the middle. */
  async function cutOff(): Promise<void> {
    const upload = request(`${test.url}/v1/files`, { method: 'POST', headers: { ...tenant.key, 'content-type': 'multipart/form-data; boundary=x', 'content-length': '5000' } });
    upload.on('error', () => undefined);
    upload.write('--x\r\ncontent-disposition: form-data; name="file"; filename="cut.jsonl"\r\n\r\nhalf of it');
    const row = (where: string) => sql(test, `SELECT 1 FROM batch_files WHERE filename = 'cut.jsonl' AND ${where}`);
    await until(async () => (await row('ready_at IS NULL')).length === 1);
    upload.destroy();
    await until(async () => (await row('deleted_at IS NOT NULL')).length === 1);
  }

  it('is of files that are not too large, and of no other purpose', async () => {
    const create = (text: string, purpose: 'batch' | 'assistants') => toFile(Buffer.from(text), 'x.jsonl').then((file) => client.files.create({ file, purpose }));
    await expect(create('x'.repeat(BYTES_MAX + 1), 'batch')).rejects.toMatchObject({ status: 413, param: 'file' });
    await expect(create('x', 'assistants')).rejects.toMatchObject({ status: 400, param: 'purpose' });
    const made = await client.files.create({ file: await toFile(Buffer.from(jsonl([1])), 'ä.jsonl'), purpose: 'batch', expires_after: { anchor: 'created_at', seconds: 3_600 } });
    expect(made).toMatchObject({ object: 'file', bytes: 2, filename: 'ä.jsonl', purpose: 'batch', status: 'processed', expires_at: made.created_at + 3_600 });
    expect(await (await client.files.content(made.id)).text()).toBe('1\n');
    const post = (headers: Record<string, string>, body: string): Promise<Response> => fetch(`${test.url}/v1/files`, { method: 'POST', headers: { ...tenant.key, ...headers }, body });
    for (const answer of [await post({ 'content-type': 'application/json' }, '{}'), await post({ 'content-type': 'multipart/form-data; boundary=x' }, '--x\r\n'), await post({ 'content-type': 'multipart/form-data; boundary=x' }, '--x--\r\n')]) {
      expect([answer.status, ((await answer.json()) as { error: { type: string } }).error.type]).toEqual([400, 'invalid_request_error']);
    }
    await cutOff();
    const before = await objects();
    await test.app.get(BatchFilePurge, { strict: false }).sweep();
    expect(await objects()).toBe(before - 3);
  });
});
