import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StatementIssuer } from '../src/core/billing/statement-issuer.js';
import { bringAdapter, fixture } from './adapter-fixtures.js';
import { apiKeyIdOf, use } from './billing-fixtures.js';
import { reasonOf, sql } from './generation-fixtures.js';
import { createApiKey, createTenant, type Credentials, data, graphql, type GraphqlAnswer, startApp, TEST_MODEL, type TestApp } from './harness.js';
import { join } from './member-fixtures.js';

interface Line {
  id: string;
  target: string;
  serviceMonth: string;
  adjustment: boolean;
  requests: number;
  amount: string;
  exactAmount: string;
  apiKeyName: string | null;
}
interface Statement {
  id: string;
  month: string;
  status: string;
  number: string | null;
  issuer: string;
  amount: string;
  exactAmount: string;
  contentSha256: string | null;
  billTo: { tenantName: string; legalName: string; address: string };
  totals: { requests: number; cachedTokens: number };
  lines: Line[];
}

const STATEMENT = `id month status number issuer amount exactAmount contentSha256 billTo { tenantName legalName address }
  totals { requests cachedTokens } lines { id target serviceMonth adjustment requests amount exactAmount apiKeyName }`;

describe('billing', () => {
  let test: TestApp;
  let one: Awaited<ReturnType<typeof createTenant>>;
  let other: Awaited<ReturnType<typeof createTenant>>;
  const ids: string[] = [];
  beforeAll(async () => {
    test = await startApp({ STATEMENT_ISSUER: 'Aril Ltd\\n1 Orchard Row' });
    [one, other] = await Promise.all([createTenant(test), createTenant(test)]);
    const { id: adapterId } = await bringAdapter(test, one.key, 'tales', fixture('a'));
    // The key's name would be a formula to a spreadsheet.
    await createApiKey(test, one.user, '=1+1');
    const [row] = await sql<{ id: string }>(test, "SELECT id FROM api_keys WHERE name = '=1+1'");
    const tales = { target: 'tales', adapterId, promptTokens: 1000, cachedTokens: 600, completionTokens: 100 };
    for (const day of [10, 11, 12]) ids.push(await use(test, one.id, { ...tales, at: `2026-09-${day}T08:00:00Z` }));
    await use(test, one.id, { at: '2026-09-20T00:00:00Z', apiKeyId: row?.id });
    await use(test, one.id, { at: '2026-10-20T00:00:00Z', apiKeyId: await apiKeyIdOf(test, one.id) });
    await use(test, one.id, { ...tales, at: new Date().toISOString() });
    await test.app.get(StatementIssuer, { strict: false }).issueDue(Date.parse('2026-10-15T00:00:00Z'));
  });
  afterAll(() => test.stop());

  const tryStatement = (credentials: Credentials, id: string): Promise<GraphqlAnswer<{ statement: Statement }>> =>
    graphql(test, credentials, `query ($id: ID!) { statement(id: $id) { ${STATEMENT} } }`, { id });
  const statement = async (id: string, credentials: Credentials = one.key) => (await data(tryStatement(credentials, id))).statement;
  const list = async (credentials: Credentials) => {
    const query = `{ tenant { statements(first: 5) { totalCount nodes { ${STATEMENT} } } openStatements { ${STATEMENT} } } }`;
    type Answer = { tenant: { statements: { totalCount: number; nodes: Statement[] }; openStatements: Statement[] } };
    return (await data(graphql<Answer>(test, credentials, query))).tenant;
  };
  const download = (file: string, credentials: Credentials = one.key): Promise<Response> => fetch(`${test.url}/statements/${file}`, { headers: credentials });

  describe('statements', () => {
    it('lists what is issued, and previews of what is open, the current month first', async () => {
      const { statements, openStatements } = await list(one.user.cookie);
      expect(statements).toMatchObject({ totalCount: 1, nodes: [{ month: '2026-09', status: 'ISSUED' }] });
      const current = new Date().toISOString().slice(0, 7);
      expect(openStatements.map(({ id, month, status, number }) => ({ id, month, status, number }))).toEqual(
        [current, '2026-10'].map((month) => ({ id: month, month, status: 'PREVIEW', number: null })),
      );
      expect(openStatements[1]?.lines).toMatchObject([{ requests: 1, apiKeyName: 'test' }]);
    });

    it('pages through them', async () => {
      const query = 'query ($after: String) { tenant { statements(first: 1, after: $after) { nodes { month } pageInfo { hasNextPage endCursor } } } }';
      type Answer = { tenant: { statements: { nodes: { month: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } } } };
      const page = async (after: string | null) => (await data(graphql<Answer>(test, one.key, query, { after }))).tenant.statements;
      const first = await page(null);
      expect(first.pageInfo.hasNextPage).toBe(false);
      expect((await page(first.pageInfo.endCursor)).nodes).toEqual([]);
    });

    it('finds one by its id or month, with lines that say what they are of', async () => {
      const found = await statement('2026-09');
      expect(found).toEqual(await statement(found.id, one.user.cookie));
      expect(found).toMatchObject({ amount: '79000', exactAmount: '78500', issuer: 'Aril Ltd\n1 Orchard Row', totals: { requests: 4, cachedTokens: 1800 }, billTo: { tenantName: one.user.tenantName } });
      expect(found.lines).toMatchObject([
        { target: TEST_MODEL, serviceMonth: '2026-09', adjustment: false, requests: 1, apiKeyName: '=1+1', exactAmount: '500', amount: '1000' },
        { target: 'tales', requests: 3, apiKeyName: null, exactAmount: '78000', amount: '78000' },
      ]);
    });

    it('late usage does not make an adapter look less used', async () => {
      const query = '{ tenant { adapters { nodes { slug lastUsedAt } } } }';
      type Answer = { tenant: { adapters: { nodes: { lastUsedAt: string }[] } } };
      const read = async () => (await data(graphql<Answer>(test, one.key, query))).tenant.adapters.nodes[0]?.lastUsedAt as string;
      const before = await read();
      const [adapter] = await sql<{ id: string }>(test, "SELECT id FROM adapters WHERE slug = 'tales'");
      await use(test, one.id, { at: '2026-10-05T00:00:00Z', adapterId: adapter?.id, target: 'tales' });
      expect(await read()).toBe(before);
    });

    it('leads from a line to the generations behind it', async () => {
      const { lines } = await statement('2026-09');
      const query = `query ($line: ID!, $after: String) { statement(id: "2026-09") { line(id: $line) {
        generations(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { id at failed promptTokens cachedTokens completionTokens amount } } } } }`;
      type Page = { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string }; nodes: { id: string; at: string }[] };
      const page = async (after: string | null): Promise<Page> =>
        (await data(graphql<{ statement: { line: { generations: Page } } }>(test, one.key, query, { line: lines[1]?.id, after }))).statement.line.generations;
      const first = await page(null);
      const second = await page(first.pageInfo.endCursor);
      expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
      expect(first.nodes[0]).toEqual({ id: ids[2], at: '2026-09-12T08:00:00.000Z', failed: false, promptTokens: 1000, cachedTokens: 600, completionTokens: 100, amount: '26000' });
      expect([...first.nodes, ...second.nodes].map(({ id }) => id)).toEqual([...ids].reverse());
      expect(second.pageInfo.hasNextPage).toBe(false);
    });

    it.each([
      ['a month to come', '2999-01', 'BAD_INPUT'],
      ['what is no id', 'x', 'NOT_FOUND'],
      ['an unknown id', '01890000-0000-7000-8000-000000000000', 'NOT_FOUND'],
      ['a month without usage, before one with', '2026-08', 'NOT_FOUND'],
    ])('does not find %s', async (_, id, reason) => {
      expect(reasonOf(await tryStatement(one.key, id))).toBe(reason);
    });

    it('need credentials', async () => {
      expect(reasonOf(await tryStatement({}, '2026-09'))).toBe('UNAUTHENTICATED');
      expect((await download('2026-09.csv', {})).status).toBe(401);
    });

    it("are their tenant's only", async () => {
      const { id } = await statement('2026-09');
      expect(reasonOf(await tryStatement(other.key, id))).toBe('NOT_FOUND');
      expect((await download(`${id}.pdf`, other.key)).status).toBe(404);
      expect((await statement('2026-09', other.key)).lines).toEqual([]);
      expect((await list(other.key)).statements.totalCount).toBe(0);
    });
  });

  describe('downloads', () => {
    it('JSON holds what the hash is over', async () => {
      const { id, number, contentSha256 } = await statement('2026-09');
      const response = await download(`${id}.json`, one.user.cookie);
      const { lines, totals } = (await response.json()) as { lines: object[]; totals: Record<string, string> };
      const hash = createHash('sha256').update(lines.map((line) => `${JSON.stringify(line)}\n`).join('')).digest('hex');
      expect(hash).toBe(contentSha256);
      expect(totals).toMatchObject({ exactNanoUsd: '78500', requests: '4' });
      expect(response.headers.get('content-disposition')).toBe(`attachment; filename=statement-2026-09-${number}.json`);
      expect(response.headers.get('cache-control')).toBe('private, no-store');
    });

    it('CSV has a row per line, and no formulas', async () => {
      const response = await download('2026-09.csv');
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      const rows = (await response.text()).trimEnd().split('\r\n').map((row) => row.split(','));
      const [header, base, tales] = rows;
      const cell = (row: string[] | undefined, name: string): string | undefined => row?.[header?.indexOf(name) ?? -1];
      expect(rows).toHaveLength(3);
      expect(cell(base, 'api_key')).toBe("'=1+1");
      expect(['requests', 'cached_tokens', 'prompt_usd_per_million_tokens', 'exact_amount_usd'].map((name) => cell(tales, name))).toEqual(['3', '1800', '0.02', '0.000078']);
    });

    it('PDF is one, the same each time once issued', async () => {
      const [first, second] = await Promise.all([0, 1].map(async () => Buffer.from(await (await download('2026-09.pdf')).arrayBuffer())));
      expect(first?.subarray(0, 5).toString()).toBe('%PDF-');
      expect(first?.equals(second as Buffer)).toBe(true);
      expect(Buffer.from(await (await download('2026-10.pdf')).arrayBuffer()).subarray(0, 5).toString()).toBe('%PDF-');
    });

    it.each(['2026-09', '2026-09.exe', '.pdf'])('refuses %s', async (file) => {
      const response = await download(file);
      expect(response.status).toBe(400);
      expect(((await response.json()) as { error: { field: string } }).error.field).toBe('file');
    });
  });

  describe('billing details', () => {
    const tryUpdate = (credentials: Credentials, input: object) =>
      graphql<{ updateBillingDetails: { billingDetails: object } }>(
        test,
        credentials,
        'mutation ($input: UpdateBillingDetailsInput!) { updateBillingDetails(input: $input) { billingDetails { legalName address taxId email } } }',
        { input },
      );
    const details = async (credentials: Credentials) =>
      (await data(graphql<{ tenant: { billingDetails: object } }>(test, credentials, '{ tenant { billingDetails { legalName address taxId email } } }'))).tenant.billingDetails;
    const NONE = { legalName: '', address: '', taxId: '', email: '' };

    it.each([
      ['email', { email: 'nobody' }],
      ['legalName', { legalName: 'x'.repeat(201) }],
      ['address', { address: 'line\n'.repeat(8) + 'line' }],
      ['taxId', { taxId: '\0' }],
    ])('refuses a %s that is none', async (field, input) => {
      expect((await tryUpdate(one.user.cookie, input)).errors?.[0]?.extensions).toMatchObject({ reason: 'BAD_INPUT', field });
    });

    it('are what is given, the rest stays, and only statements to come have them', async () => {
      expect(await details(one.key)).toEqual(NONE);
      await data(tryUpdate(one.user.cookie, { legalName: ' Fern & Thistle Ltd ', address: '12 Glasshouse Lane\nBristol', email: 'bills@example.test' }));
      const given = { legalName: 'Fern & Thistle Ltd', address: '12 Glasshouse Lane\nBristol', taxId: 'GB123', email: '' };
      expect((await data(tryUpdate(one.user.cookie, { taxId: 'GB123', email: '' }))).updateBillingDetails.billingDetails).toEqual(given);
      expect(await details(one.key)).toEqual(given);
      expect((await statement('2026-10')).billTo).toMatchObject({ legalName: given.legalName, address: given.address });
      expect((await statement('2026-09')).billTo).toMatchObject({ legalName: '', address: '' });
    });

    it('are not changed by keys, by mere members, or without credentials', async () => {
      expect(reasonOf(await tryUpdate(one.key, { taxId: 'x' }))).toBe('FORBIDDEN');
      expect(reasonOf(await tryUpdate({}, { taxId: 'x' }))).toBe('UNAUTHENTICATED');
      const [admin, member] = [await join(test, other.user, 'admin'), await join(test, other.user, 'member')];
      expect(reasonOf(await tryUpdate(member.cookie, { taxId: 'x' }))).toBe('FORBIDDEN');
      expect(await details(member.cookie)).toEqual(NONE);
      expect((await tryUpdate(admin.cookie, { taxId: 'x' })).errors).toBeUndefined();
    });

    it("are the tenant's own", async () => {
      expect(await details(other.key)).toEqual({ ...NONE, taxId: 'x' });
      expect(await details(one.key)).toMatchObject({ taxId: 'GB123' });
    });
  });
});
