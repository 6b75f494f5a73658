import { withClient } from '@aril/local-services';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { contentSha256 } from '../src/core/billing/statement-content.js';
import { StatementIssuer } from '../src/core/billing/statement-issuer.js';
import { StatementService } from '../src/core/billing/statement.service.js';
import type { FullStatement } from '../src/core/billing/statement.view.js';
import { addPrice, admit, apiKeyIdOf, settle, use } from './billing-fixtures.js';
import { sql } from './generation-fixtures.js';
import { createTenant, startApp, type TestApp } from './harness.js';
import { gate, until } from './scripted-runner.js';

const DAY_MS = 86_400_000;
/** Any time after the grace of the month before. */
const at = (day: string): number => Date.parse(`${day}T00:00:00.000Z`);

describe('issuing statements', () => {
  let test: TestApp;
  let peer: TestApp;
  let tenantId: string;
  beforeAll(async () => {
    test = await startApp();
    peer = await test.peer();
  });
  afterAll(async () => {
    await peer.stop();
    await test.stop();
  });

  const issue = (now: number, app = test) => app.app.get(StatementIssuer, { strict: false }).issueDueOf(tenantId, now);
  const service = () => test.app.get(StatementService, { strict: false });
  const issued = async (): Promise<FullStatement[]> => {
    const { nodes } = await service().page(tenantId, { first: 100, after: null });
    return Promise.all(nodes.reverse().map((node) => service().withLines(tenantId, node)));
  };
  const newTenant = async (): Promise<void> => void (tenantId = (await createTenant(test)).id);

  it("goes by Postgres' clock: one process whose clock is fast issues nothing early", async () => {
    await newTenant();
    const today = new Date();
    await use(test, tenantId, { at: today.toISOString() });
    vi.useFakeTimers({ toFake: ['Date'], now: today.getTime() + 70 * DAY_MS });
    try {
      await test.app.get(StatementIssuer, { strict: false }).issueDue();
    } finally {
      vi.useRealTimers();
    }
    expect(await service().page(tenantId, { first: 10, after: null })).toMatchObject({ nodes: [] });
  });

  it('sums a month up by target, key, price and month of use, and rounds each line once', async () => {
    await newTenant();
    const apiKeyId = await apiKeyIdOf(test, tenantId);
    const dearer = await addPrice(test, 333, 777);
    await use(test, tenantId, { at: '2026-01-01T00:00:00Z', promptTokens: 7, cachedTokens: 3, completionTokens: 1 });
    await use(test, tenantId, { at: '2026-01-31T23:59:59.999Z', promptTokens: 7, cachedTokens: 9, completionTokens: 1 });
    await use(test, tenantId, { at: '2026-01-15T00:00:00Z', failed: true });
    await use(test, tenantId, { at: '2026-01-15T00:00:00Z', apiKeyId, promptTokens: 1, completionTokens: 0 });
    await use(test, tenantId, { at: '2026-01-15T00:00:00Z', priceId: dearer, promptTokens: 1, completionTokens: 1 });
    await use(test, tenantId, { at: '2026-02-01T00:00:00Z' });
    const [row] = await issue(at('2026-02-10'));
    const [statement] = await issued();
    expect(row?.number).toBe(`${tenantId.slice(-8).toUpperCase()}-0001`);
    expect(statement).toMatchObject({ month: '2026-01', status: 'ISSUED', currency: 'USD', issuer: 'Aril', lineCount: 3 });
    // Prices of the test model: 20 and 60.
    expect(statement?.lines).toMatchObject([
      { apiKeyId: null, requests: 3n, failedRequests: 1n, promptTokens: 14n, cachedTokens: 10n, completionTokens: 2n, exactNanoUsd: 400n, amountNanoUsd: 0n },
      { apiKeyId: null, priceId: dearer, requests: 1n, exactNanoUsd: 1110n, amountNanoUsd: 1000n, promptNanoUsdPerToken: 333n },
      { apiKeyId, apiKeyName: 'test', requests: 1n, exactNanoUsd: 20n, amountNanoUsd: 0n },
    ]);
    expect(statement).toMatchObject({ exactAmount: 1530n, amount: 1000n, contentSha256: contentSha256(statement?.lines ?? []) });
  });

  it('has a line for each variant of a deployment', async () => {
    await newTenant();
    for (const variant of ['brief', 'friendly', 'brief']) await use(test, tenantId, { at: '2026-01-10T00:00:00Z', target: 'reply', variant });
    await issue(at('2026-02-10'));
    const [statement] = await issued();
    expect(statement?.lines.map(({ target, variant, requests }) => [target, variant, requests])).toEqual([['reply', 'brief', 2n], ['reply', 'friendly', 1n]]);
    const { totalCount } = await service().entries(tenantId, '2026-01', statement?.lines[0] as never, { first: 1, after: null });
    expect(totalCount).toBe(2);
  });

  it('has as many lines as it takes, well within the time of a transaction', async () => {
    await newTenant();
    await use(test, tenantId, { at: '2026-01-10T00:00:00Z' });
    const generations = `
      INSERT INTO generations (id, tenant_id, base_model_id, target, request_hash, price_id, status)
      SELECT gen_random_uuid(), tenant_id, base_model_id, 'target ' || i, 'x', price_id, status FROM generations, generate_series(1, 12000) i
      WHERE tenant_id = $1 RETURNING *`;
    await sql(
      test,
      `WITH added AS (${generations})
       INSERT INTO ledger_entries (id, tenant_id, generation_id, base_model_id, target, price_id, prompt_tokens, completion_tokens, amount_nano_usd, at)
       SELECT gen_random_uuid(), tenant_id, id, base_model_id, target, price_id, 1, 1, 0, '2026-01-10' FROM added`,
      [tenantId],
    );
    expect(await issue(at('2026-02-10'))).toMatchObject([{ lineCount: 12_001 }]);
    const [statement] = await issued();
    expect(statement?.contentSha256).toBe(contentSha256(statement?.lines ?? []));
  });

  it('waits for the end of the month and its grace', async () => {
    await newTenant();
    await use(test, tenantId, { at: '2026-01-31T12:00:00Z' });
    const due = at('2026-02-01') + test.config.STATEMENT_GRACE_S * 1_000;
    expect(await issue(due - 1)).toEqual([]);
    expect(await issue(due)).toHaveLength(1);
    expect(await issue(due + DAY_MS)).toEqual([]);
  });

  it('catches up over missed months, skips those without usage, and numbers without gaps', async () => {
    await newTenant();
    for (const month of ['2026-04', '2026-01', '2026-02']) await use(test, tenantId, { at: `${month}-10T00:00:00Z` });
    await issue(at('2026-11-20'));
    expect((await issued()).map(({ month, number }) => [month, number?.slice(-4)])).toEqual([
      ['2026-01', '0001'],
      ['2026-02', '0002'],
      ['2026-04', '0003'],
    ]);
  });

  it('bills what comes late in the next open month, as an adjustment, and leaves the issued one as it was', async () => {
    await newTenant();
    await use(test, tenantId, { at: '2026-01-10T00:00:00Z' });
    await issue(at('2026-02-10'));
    const [before] = await issued();
    const late = await use(test, tenantId, { at: '2026-01-11T00:00:00Z' });
    await use(test, tenantId, { at: '2026-02-11T00:00:00Z' });
    const preview = await service().find(tenantId, '2026-02');
    await issue(at('2026-03-10'));
    const [january, february] = await issued();
    expect(january).toEqual(before);
    expect(february?.lines.map((line) => [line.servicePeriod.toISOString().slice(0, 7), line.requests])).toEqual([['2026-02', 1n], ['2026-01', 1n]]);
    expect((preview as FullStatement).lines).toEqual(february?.lines);
    const { nodes } = await service().entries(tenantId, '2026-02', february?.lines[1] as never, { first: 10, after: null });
    expect(nodes.map((node) => node.id)).toEqual([late]);
  });

  it('is done once by any number of processes', async () => {
    await newTenant();
    for (const month of ['2026-01', '2026-02', '2026-03']) await use(test, tenantId, { at: `${month}-10T00:00:00Z` });
    const rounds = Array.from({ length: 10 }, (_, index) => issue(at('2026-11-20'), index % 2 ? test : peer));
    const rows = (await Promise.all(rounds)).flat();
    expect(rows.map((row) => row.sequence).sort()).toEqual([1, 2, 3]);
    expect(await issued()).toHaveLength(3);
  });

  it('does not let an entry be written between the sum and the statement', async () => {
    await newTenant();
    await use(test, tenantId, { at: '2026-01-10T00:00:00Z' });
    const settlement = await admit(test, tenantId, { at: '2026-01-11T00:00:00Z' });
    const { opened, open } = gate();
    const held = holdLedger(opened);
    await until(() => holds('granted'));
    let settled = false;
    const settling = settle(test, settlement).then(() => (settled = true));
    await until(() => holds('NOT granted'));
    expect(settled).toBe(false);
    open();
    await Promise.all([held, settling]);
  });

  /** Holds the tenant's ledger as an issuer does. */
  async function holdLedger(released: Promise<void>): Promise<void> {
    await withClient(test.ownerUrl, async (client) => {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${tenantId}:ledger`]);
      await released;
      await client.query('COMMIT');
    });
  }

  const holds = async (state: 'granted' | 'NOT granted'): Promise<boolean> => {
    const query = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND ${state}
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    return (await sql(test, query)).length > 0;
  };

  it('is refused by the database when it does not agree with the ledger, or does not follow, or comes in parts', async () => {
    await newTenant();
    await use(test, tenantId, { at: '2026-01-10T00:00:00Z' });
    const insert = (sequence: number, amount: number) =>
      sql(
        test,
        `INSERT INTO statements (id, tenant_id, sequence, number, period, issuer, bill_to, line_count, exact_nano_usd, amount_nano_usd, content_sha256)
         VALUES (gen_random_uuid(), $1, $2, 'x', '2026-01-01', 'x', '{}', 0, $3, $3, 'x')`,
        [tenantId, sequence, amount],
      );
    await expect(insert(1, 0)).rejects.toThrow(/agree with its totals/);
    await expect(insert(2, 0)).rejects.toThrow(/does not follow/);
    await issue(at('2026-02-10'));
    await expect(insert(2, 0)).rejects.toThrow(/does not follow/);
    const again = `INSERT INTO statement_lines SELECT gen_random_uuid(), tenant_id, statement_id, 2, service_period, base_model_id, adapter_id,
      target, variant, api_key_id, api_key_name, price_id, prompt_nano_usd_per_token, completion_nano_usd_per_token, requests, failed_requests,
      prompt_tokens, cached_tokens, completion_tokens, exact_nano_usd, amount_nano_usd FROM statement_lines WHERE tenant_id = $1`;
    await expect(sql(test, again, [tenantId])).rejects.toThrow(/has been issued/);
  });
});
