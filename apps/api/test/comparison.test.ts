import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { createDeployment, type DeploymentAnswer, updateDeployment } from './deployment-fixtures.js';
import { generate, reasonOf, sql } from './generation-fixtures.js';
import { createTenant, type Credentials, data, graphql, type GraphqlAnswer, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { PROMPT_TOKENS, ScriptedRunner, tell } from './scripted-runner.js';

interface VariantRow {
  target: string;
  adapterId: string | null;
  variant: { weight: number } | null;
  requests: number;
  failedRequests: number;
  promptTokens: number;
  completionTokens: number;
  amount: string;
  ttftMsP50: number | null;
  ttftMsP95: number | null;
  totalMsP50: number | null;
  totalMsP95: number | null;
}
interface Answer {
  deployment: { comparison: { from: string; to: string; variants: VariantRow[] } };
}

const FIELDS = `target adapterId variant { weight } requests failedRequests promptTokens completionTokens amount
  ttftMsP50 ttftMsP95 totalMsP50 totalMsP95`;
const QUERY = `query ($id: ID!, $input: ComparisonInput!) { deployment(id: $id) { comparison(input: $input) { from to variants { ${FIELDS} } } } }`;
const USAGE = `query ($input: UsageInput!) { tenant { usage(input: $input) {
  rows { target variant deploymentId adapterId requests failedRequests completionTokens } totals { requests } } } }`;

const dayMs = 86_400_000;
const today = (): { from: string; to: string } => {
  const from = new Date().setUTCHours(0, 0, 0, 0);
  return { from: new Date(from).toISOString(), to: new Date(from + dayMs).toISOString() };
};

describe('the comparison of variants', () => {
  let test: TestApp;
  let runner: ScriptedRunner;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  let deployment: DeploymentAnswer;
  let friendly: string;
  let brief: string;

  beforeAll(async () => {
    test = await startApp();
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    runner = new ScriptedRunner(test);
    friendly = (await bringAdapter(test, one.key, 'friendly', fixture('a'))).id;
    brief = (await bringAdapter(test, one.key, 'brief', fixture('b'))).id;
    deployment = await createDeployment(test, one.key, { slug: 'reply', variants: [{ target: 'friendly', weight: 1 }] });
    const only = (target: string) => updateDeployment(test, one.key, { deploymentId: deployment.id, variants: [{ target, weight: 1 }] });
    for (let i = 0; i < 4; i++) await generate(test, one.key, { target: 'reply' });
    runner.script = async (run) => void (await run.finish('error', { code: 'NUMERIC_ERROR', message: 'x' }));
    await generate(test, one.key, { target: 'reply' });
    runner.script = tell;
    await only('brief');
    await generate(test, one.key, { target: 'reply' });
    // Asked for by itself, an adapter is no variant.
    await generate(test, one.key, { target: 'friendly' });
    await updateDeployment(test, one.key, {
      deploymentId: deployment.id,
      variants: [{ target: TEST_MODEL, weight: 1 }, { target: 'friendly', weight: 3 }],
    });
    // Known times: 10, 20, 30 and 40 to the first token, ten times as much in all; the failure must not count.
    await sql(
      test,
      `WITH numbered AS (SELECT id, row_number() OVER (ORDER BY created_at) AS place FROM generations WHERE variant = 'friendly')
       UPDATE generations g SET ttft_ms = 10 * place, total_ms = 100 * place FROM numbered WHERE numbered.id = g.id`,
    );
  });
  afterAll(async () => {
    await runner.close();
    await test.stop();
  });

  const tryCompare = (credentials: Credentials, input: Record<string, unknown>): Promise<GraphqlAnswer<Answer>> =>
    graphql<Answer>(test, credentials, QUERY, { id: deployment.id, input });
  const compare = async (input: Record<string, unknown>): Promise<VariantRow[]> =>
    (await data(tryCompare(one.user.cookie, input))).deployment.comparison.variants;

  it.each([
    ['an empty range', { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
    ['a range backwards', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
    ['more than 366 days', { from: '2025-01-01T00:00:00Z', to: '2026-01-02T00:00:01Z' }],
  ])('refuses %s', async (_, input) => {
    expect((await tryCompare(one.key, input)).errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field: 'to' });
  });

  it('has the variants in their order, used or not, and those that were; counts, amounts and times of each', async () => {
    const each = PROMPT_TOKENS * 20 + 3 * 60;
    const [base, first, ...earlier] = await compare(today());
    expect(base).toEqual({
      target: TEST_MODEL,
      adapterId: null,
      variant: { weight: 1 },
      ...{ requests: 0, failedRequests: 0, promptTokens: 0, completionTokens: 0, amount: '0' },
      ...{ ttftMsP50: null, ttftMsP95: null, totalMsP50: null, totalMsP95: null },
    });
    expect(first).toEqual({
      target: 'friendly',
      adapterId: friendly,
      variant: { weight: 3 },
      ...{ requests: 5, failedRequests: 1, promptTokens: 4 * PROMPT_TOKENS, completionTokens: 12, amount: String(4 * each) },
      ...{ ttftMsP50: 25, ttftMsP95: 38.5, totalMsP50: 250, totalMsP95: 385 },
    });
    expect(earlier).toEqual([expect.objectContaining({ target: 'brief', adapterId: brief, variant: null, requests: 1, ttftMsP50: 1 })]);
  });

  it('is of the range that was asked for', async () => {
    const [{ from, to }, rows] = [today(), await compare({ from: '2020-01-01T00:00:00Z', to: '2020-12-31T00:00:00Z' })];
    expect(rows.map(({ target, requests }) => [target, requests])).toEqual([[TEST_MODEL, 0], ['friendly', 0]]);
    const [entry] = await sql<{ at: Date }>(test, "SELECT min(at) AS at FROM ledger_entries WHERE variant = 'friendly'");
    const at = entry?.at.toISOString() ?? '';
    const requests = async (range: object): Promise<number | undefined> => (await compare({ from, to, ...range }))[1]?.requests;
    expect(await requests({ from: at })).toBe(5);
    expect(await requests({ to: at })).toBe(0);
  });

  it('is UNAUTHENTICATED without credentials, and NOT_FOUND for another tenant', async () => {
    expect(reasonOf(await tryCompare({}, today()))).toBe('UNAUTHENTICATED');
    expect(reasonOf(await tryCompare(other.key, today()))).toBe('NOT_FOUND');
  });

  it('agrees with the usage, which tells the variants of a target apart and can be asked for one deployment', async () => {
    type Usage = { tenant: { usage: { rows: Record<string, unknown>[]; totals: { requests: number } } } };
    const usage = async (credentials: Credentials, input: object) =>
      (await data(graphql<Usage>(test, credentials, USAGE, { input: { ...today(), ...input } }))).tenant.usage;
    const all = await usage(one.key, {});
    const own = { deploymentId: deployment.id, target: 'reply' };
    const split = [
      { ...own, variant: 'brief', adapterId: brief, requests: 1, failedRequests: 0, completionTokens: 3 },
      { ...own, variant: 'friendly', adapterId: friendly, requests: 5, failedRequests: 1, completionTokens: 12 },
    ];
    const alone = { deploymentId: null, target: 'friendly', variant: 'friendly', adapterId: friendly, requests: 1, failedRequests: 0, completionTokens: 3 };
    expect(all.rows).toEqual([alone, ...split]);
    expect(await usage(one.key, { deploymentId: deployment.id })).toEqual({ rows: split, totals: { requests: 6 } });
    expect((await usage(other.key, { deploymentId: deployment.id })).rows).toEqual([]);
    const { errors } = await graphql(test, one.key, USAGE, { input: { ...today(), deploymentId: 'x' } });
    expect(errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field: 'deploymentId' });
  });
});
