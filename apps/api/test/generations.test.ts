import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { CHOICE_FIELDS, find, generate, ledgerOf, reasonOf, sql, startGeneration, tryFind, tryGenerate } from './generation-fixtures.js';
import { createTenant, data, graphql, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { CACHED_TOKENS, gate, PROMPT_TOKENS, ScriptedRunner, type Script, tell, until } from './scripted-runner.js';

describe('generations', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    await bringAdapter(test, one.key, 'tales', fixture('a'));
  });
  afterEach(async () => {
    runner.script = tell;
    await runner.resume();
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  it('waits for the whole text, and bills it', async () => {
    const generation = await generate(test, one.key);
    expect(generation).toMatchObject({
      status: 'SUCCEEDED',
      target: TEST_MODEL,
      adapterId: null,
      text: 'Once upon a time',
      finishReason: 'STOP',
      choices: [{ index: 0, text: 'Once upon a time', finishReason: 'STOP', completionTokens: 3 }],
      promptTokens: PROMPT_TOKENS,
      cachedTokens: CACHED_TOKENS,
      completionTokens: 3,
      error: null,
    });
    const [price] = await sql<{ p: string; c: string }>(test, 'SELECT prompt_nano_usd_per_token p, completion_nano_usd_per_token c FROM prices');
    const amount = BigInt(PROMPT_TOKENS) * BigInt(price?.p ?? 0) + 3n * BigInt(price?.c ?? 0);
    expect(amount).toBeGreaterThan(0n);
    expect(generation.amount).toBe(amount.toString());
    const ledger = await ledgerOf(test, generation.id);
    expect(ledger).toMatchObject([{ tenant_id: one.id, failed: false, amount_nano_usd: amount.toString() }]);
  });

  it("hands an adapter to the runner by its content, and remembers its use", async () => {
    const { adapterId } = await generate(test, one.key, { target: 'tales' });
    const job = runner.jobs.at(-1);
    expect(job?.adapter?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(job?.adapter?.files.map(({ name }) => name).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    expect(job?.baseModelId).toBe(TEST_MODEL);
    const [row] = await sql<{ last_used_at: Date | null }>(test, 'SELECT last_used_at FROM adapters WHERE id = $1', [adapterId]);
    expect(row?.last_used_at).toBeInstanceOf(Date);
  });

  it('passes messages and sampling on, defaults filled in', async () => {
    const messages = [
      { role: 'SYSTEM', content: 'Be brief.' },
      { role: 'USER', content: 'Hi' },
    ];
    await generate(test, one.key, { prompt: null, messages, sampling: { temperature: 0, topK: 5, seed: 4294967295, stop: ['\n'], minP: null, logitBias: [{ token: 9, bias: -100 }] }, n: null });
    expect(runner.jobs.at(-1)).toMatchObject({
      tenantId: one.id,
      input: { kind: 'messages', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }] },
      sampling: {
        temperature: 0,
        topP: 1,
        topK: 5,
        minP: 0,
        repetitionPenalty: 1,
        frequencyPenalty: 0,
        presencePenalty: 0,
        logitBias: { 9: -100 },
        seed: 4294967295,
        maxTokens: 256,
        minTokens: 0,
        stop: ['\n'],
        stopTokens: [],
        ignoreEos: false,
      },
      n: 1,
      logprobs: null,
      constraint: null,
    });
  });

  it('goes on where the last message ends, if that is asked for', async () => {
    const messages = [{ role: 'USER', content: 'Where is it?' }, { role: 'ASSISTANT', content: 'It is ' }];
    await generate(test, one.key, { prompt: null, messages, continueFinal: true });
    expect(runner.jobs.at(-1)?.input).toMatchObject({ continueFinal: true, messages: [{}, { role: 'assistant', content: 'It is ' }] });
    for (const continueFinal of [false, null]) {
      await generate(test, one.key, { prompt: null, messages, continueFinal });
      expect(runner.jobs.at(-1)?.input).not.toHaveProperty('continueFinal');
    }
  });

  it.each<[Record<string, unknown>, object]>([
    [{ json: true }, { type: 'json' }],
    [{ jsonSchema: '{"type":"object"}' }, { type: 'jsonSchema', schema: { type: 'object' } }],
    [{ regex: '[a-z]+', json: null }, { type: 'regex', pattern: '[a-z]+' }],
    [{ grammar: 'root ::= "a"' }, { type: 'grammar', grammar: 'root ::= "a"' }],
  ])('passes the constraint %j on', async (constraint, expected) => {
    await generate(test, one.key, { constraint });
    expect(runner.jobs.at(-1)?.constraint).toEqual(expected);
  });

  describe('with several choices', () => {
    /** The first answer ends last. */
    const answers: Script = async (run) => {
      for (const choice of [0, 1, 2]) await run.scored(`answer ${choice}`, choice);
      await run.scored('!', 0);
      for (const choice of [1, 2]) await run.endChoice(choice, 'stop');
      await run.finish('length');
    };
    const expected = [0, 1, 2].map((index) => ({
      index,
      text: index === 0 ? 'answer 0!' : `answer ${index}`,
      reasoning: null,
      finishReason: index === 0 ? 'LENGTH' : 'STOP',
      completionTokens: index === 0 ? 2 : 1,
      reasoningTokens: 0,
    }));

    it('keeps them all, and bills one generation', async () => {
      runner.script = answers;
      const generation = await generate(test, one.key, { n: 3 });
      expect(generation).toMatchObject({ text: 'answer 0!', finishReason: 'LENGTH', completionTokens: 4, choices: expected });
      expect((await find(test, one.key, generation.id)).choices).toEqual(expected);
      expect(await ledgerOf(test, generation.id)).toMatchObject([{ prompt_tokens: PROMPT_TOKENS, completion_tokens: 4 }]);
    });

    it('gives log probabilities as long as the events are kept, to the tenant alone', async () => {
      runner.script = answers;
      const query = `query ($id: ID!) { generation(id: $id) { ${CHOICE_FIELDS} logprobs { token text bytes logprob top { text logprob } } } }`;
      interface Scored {
        generation: { logprobs: { text: string; top: { text: string }[] }[][] | null };
      }
      const { id } = await generate(test, one.key, { n: 3, logprobs: 2 });
      const { generation } = await data(graphql<Scored>(test, one.key, query, { id }));
      expect(generation.logprobs?.map((choice) => choice.map(({ text }) => text))).toEqual([['answer 0', '!'], ['answer 1'], ['answer 2']]);
      expect(generation.logprobs?.[0]?.[0]).toEqual({
        token: 1,
        text: 'answer 0',
        bytes: [...Buffer.from('answer 0')],
        logprob: -0.25,
        top: [{ text: 'answer 0', logprob: -0.25 }, { text: 't0', logprob: -1 }],
      });
      expect(reasonOf(await graphql(test, other.key, query, { id }))).toBe('NOT_FOUND');
      expect(reasonOf(await graphql(test, {}, query, { id }))).toBe('UNAUTHENTICATED');
      const plain = await generate(test, one.key, { n: 3 });
      expect((await data(graphql<Scored>(test, one.key, query, { id: plain.id }))).generation.logprobs).toBeNull();
    });

    it('is cancelled when one of them was', async () => {
      runner.script = async (run) => {
        await run.tokens('a', 1, 0);
        await run.endChoice(1, 'stop');
        await run.finish('cancelled');
      };
      const generation = await generate(test, one.key, { n: 2 });
      expect(generation).toMatchObject({ status: 'CANCELLED', finishReason: 'CANCELLED' });
      expect(generation.choices?.map(({ finishReason }) => finishReason)).toEqual(['CANCELLED', 'STOP']);
    });

    it('stores texts that Postgres cannot hold as they are', async () => {
      runner.script = async (run) => {
        await run.tokens('a\0', 1, 1);
        await run.endChoice(1, 'stop');
        await run.finish('stop');
      };
      expect((await generate(test, one.key, { n: 2 })).choices?.[1]?.text).toBe('a\u{FFFD}');
    });
  });

  it('chooses different seeds when none is given', async () => {
    await Promise.all([generate(test, one.key), generate(test, one.key)]);
    const [a, b] = runner.jobs.slice(-2).map((job) => job.sampling.seed);
    expect(a).not.toBe(b);
  });

  it.each([
    [{ prompt: null }, 'BAD_INPUT', 'prompt'],
    [{ messages: [{ role: 'USER', content: 'x' }] }, 'BAD_INPUT', 'prompt'],
    [{ prompt: null, messages: [] }, 'BAD_INPUT', 'messages'],
    [{ continueFinal: true }, 'BAD_INPUT', 'continueFinal'],
    [{ prompt: null, messages: [{ role: 'USER', content: 'x' }], continueFinal: true }, 'BAD_INPUT', 'continueFinal'],
    [{ prompt: null, messages: [{ role: 'ASSISTANT', content: '' }], continueFinal: true }, 'BAD_INPUT', 'continueFinal'],
    [{ sampling: { temperature: 2.5 } }, 'BAD_INPUT', 'sampling.temperature'],
    [{ sampling: { topP: 0 } }, 'BAD_INPUT', 'sampling.topP'],
    [{ sampling: { topK: -1 } }, 'BAD_INPUT', 'sampling.topK'],
    [{ sampling: { seed: 4294967296 } }, 'BAD_INPUT', 'sampling.seed'],
    [{ sampling: { seed: 1.5 } }, 'BAD_INPUT', 'sampling.seed'],
    [{ sampling: { maxTokens: 0 } }, 'BAD_INPUT', 'sampling.maxTokens'],
    [{ sampling: { maxTokens: 1_000_000 } }, 'BAD_INPUT', 'sampling.maxTokens'],
    [{ sampling: { stop: Array.from({ length: 9 }, (_, index) => `${index}`) } }, 'BAD_INPUT', 'sampling.stop'],
    [{ sampling: { stop: [''] } }, 'BAD_INPUT', 'sampling.stop.0'],
    [{ sampling: { repetitionPenalty: 0 } }, 'BAD_INPUT', 'sampling.repetitionPenalty'],
    [{ sampling: { frequencyPenalty: 3 } }, 'BAD_INPUT', 'sampling.frequencyPenalty'],
    [{ sampling: { presencePenalty: -3 } }, 'BAD_INPUT', 'sampling.presencePenalty'],
    [{ sampling: { logitBias: [{ token: 5, bias: 101 }] } }, 'BAD_INPUT', 'sampling.logitBias.5'],
    [{ sampling: { logitBias: [{ token: -5, bias: 1 }] } }, 'BAD_INPUT', 'sampling.logitBias.-5'],
    [{ sampling: { minTokens: 300 } }, 'BAD_INPUT', 'sampling.minTokens'],
    [{ n: 17 }, 'BAD_INPUT', 'n'],
    [{ logprobs: 21 }, 'BAD_INPUT', 'logprobs'],
    [{ constraint: {} }, 'BAD_INPUT', 'constraint'],
    [{ constraint: { json: true, regex: 'a' } }, 'BAD_INPUT', 'constraint'],
    [{ constraint: { json: false } }, 'BAD_INPUT', 'constraint.json'],
    [{ constraint: { jsonSchema: '{' } }, 'BAD_INPUT', 'constraint.jsonSchema'],
    [{ constraint: { jsonSchema: '[]' } }, 'BAD_INPUT', 'constraint.jsonSchema'],
    [{ constraint: { regex: '' } }, 'BAD_INPUT', 'constraint.regex'],
    [{ constraint: { grammar: 'x'.repeat(65_537) } }, 'BAD_INPUT', 'constraint.grammar'],
    [{ idempotencyKey: 'x'.repeat(256) }, 'BAD_INPUT', 'idempotencyKey'],
    [{ idempotencyKey: '' }, 'BAD_INPUT', 'idempotencyKey'],
    [{ idempotencyKey: 'a\0b' }, 'BAD_INPUT', 'idempotencyKey'],
    [{ target: 'a\0b' }, 'BAD_INPUT', 'target'],
    [{ target: 'no-such-adapter' }, 'MODEL_NOT_FOUND', 'target'],
  ])('refuses %j', async (input, reason, field) => {
    const { errors } = await tryGenerate(test, one.key, input);
    expect(errors?.[0]?.extensions).toMatchObject({ reason, field });
    expect(errors?.[0]?.message).toContain(field.replace('.0', ''));
  });

  it('refuses an adapter that is not ready', async () => {
    const input = {
      slug: 'half',
      baseModelId: TEST_MODEL,
      files: ['adapter_config.json', 'adapter_model.safetensors'].map((name) => ({ name, bytes: 100 })),
    };
    await graphql(test, one.key, 'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } } }', { input });
    expect(reasonOf(await tryGenerate(test, one.key, { target: 'half' }))).toBe('ADAPTER_NOT_READY');
  });

  it('needs credentials', async () => {
    expect(reasonOf(await tryGenerate(test, {}))).toBe('UNAUTHENTICATED');
    expect(reasonOf(await tryFind(test, {}, one.id))).toBe('UNAUTHENTICATED');
    expect(reasonOf(await tryGenerate(test, { authorization: 'Bearer aril_wrong' }))).toBe('UNAUTHENTICATED');
  });

  it("does not find another tenant's adapter or generation", async () => {
    expect(reasonOf(await tryGenerate(test, other.key, { target: 'tales' }))).toBe('MODEL_NOT_FOUND');
    const { id } = await generate(test, one.key);
    expect(reasonOf(await tryFind(test, other.key, id))).toBe('NOT_FOUND');
    expect(reasonOf(await tryFind(test, one.key, 'nonsense'))).toBe('NOT_FOUND');
    expect((await find(test, one.user.cookie, id)).text).toBe('Once upon a time');
  });

  it('starts without waiting: QUEUED, then RUNNING, then SUCCEEDED', async () => {
    const { opened, open } = gate();
    runner.script = async (run) => {
      await opened;
      await tell(run);
    };
    await runner.pause();
    const { id, status, text } = await startGeneration(test, one.key);
    expect({ status, text }).toEqual({ status: 'QUEUED', text: null });
    await runner.resume();
    await until(async () => (await find(test, one.key, id)).status === 'RUNNING');
    open();
    const ended = await until(async () => {
      const found = await find(test, one.key, id);
      return found.finishedAt && found;
    });
    expect(ended).toMatchObject({ status: 'SUCCEEDED', text: 'Once upon a time' });
  });

  it("gives a failed generation with the runner's reason, and charges nothing", async () => {
    runner.script = async (run) => {
      await run.tokens('Onc');
      await run.finish('error', { code: 'NUMERIC_ERROR', message: 'a logit is not finite' });
    };
    const generation = await generate(test, one.key);
    expect(generation).toMatchObject({
      status: 'FAILED',
      finishReason: 'ERROR',
      completionTokens: 1,
      amount: '0',
      error: { code: 'NUMERIC_ERROR', message: 'a logit is not finite', retryable: false },
    });
    expect(await ledgerOf(test, generation.id)).toMatchObject([{ failed: true, prompt_tokens: 0, completion_tokens: 0, amount_nano_usd: '0' }]);
  });

  it('stores a text that Postgres cannot hold as it is', async () => {
    runner.script = async (run) => {
      await run.tokens('a\0b');
      await run.finish('stop');
    };
    expect((await generate(test, one.key)).text).toBe('a\u{FFFD}b');
  });

  it('serves two tenants at once, each with its own', async () => {
    runner.script = async (run) => {
      await run.tokens(run.job.input.kind === 'prompt' ? run.job.input.prompt : '');
      await run.finish('stop');
    };
    const asked = Array.from({ length: 30 }, (_, index) => ({ tenant: index % 2 ? one : other, prompt: `story ${index}` }));
    const answers = await Promise.all(asked.map(({ tenant, prompt }) => generate(test, tenant.key, { prompt })));
    expect(answers.map(({ text }) => text)).toEqual(asked.map(({ prompt }) => prompt));
    const rows = await sql<{ tenant_id: string; count: string }>(
      test,
      'SELECT tenant_id, count(*) FROM ledger_entries WHERE generation_id = ANY($1) GROUP BY 1',
      [answers.map(({ id }) => id)],
    );
    expect(new Map(rows.map((row) => [row.tenant_id, row.count]))).toEqual(new Map([[one.id, '15'], [other.id, '15']]));
  });

  it('keeps no prompt in the database', async () => {
    const { id } = await generate(test, one.key, { prompt: 'the secret recipe' });
    const rows = await sql(test, 'SELECT * FROM generations WHERE id = $1', [id]);
    expect(JSON.stringify(rows)).not.toContain('recipe');
  });
});
