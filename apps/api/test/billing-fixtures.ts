/** Usage of any time, settled the way a runner's report is. */
import { randomUUID } from 'node:crypto';
import { settlementSchema, type Settlement } from '@aril/contracts';
import { SettlementService, type SettlementResult } from '../src/core/settlement/settlement.service.js';
import { sql } from './generation-fixtures.js';
import { type TestApp, TEST_MODEL } from './harness.js';

export interface Use {
  /** ISO time of its end. */
  at: string;
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  failed?: boolean;
  adapterId?: string | null;
  target?: string;
  /** What answers, where the target is a deployment. */
  variant?: string;
  apiKeyId?: string | null;
  priceId?: string;
}

/** An open generation, and the report that will end it. */
export async function admit(test: TestApp, tenantId: string, use: Use): Promise<Settlement> {
  const id = randomUUID();
  const { adapterId = null, target = TEST_MODEL, variant = null, apiKeyId = null, failed = false } = use;
  await sql(
    test,
    `INSERT INTO generations (id, tenant_id, base_model_id, target, adapter_id, api_key_id, request_hash, price_id, variant)
     VALUES ($1, $2, $3, $4, $5, $6, 'x', coalesce($7::uuid, (SELECT id FROM prices WHERE base_model_id = $3 ORDER BY valid_from, id LIMIT 1)), $8)`,
    [id, tenantId, TEST_MODEL, target, adapterId, apiKeyId, use.priceId ?? null, variant],
  );
  return settlementSchema.parse({
    version: 1,
    generationId: id,
    tenantId,
    runnerId: 'fixture',
    fence: 1,
    text: '',
    finishReason: failed ? 'error' : 'stop',
    promptTokens: use.promptTokens ?? 10,
    cachedTokens: use.cachedTokens ?? 0,
    completionTokens: use.completionTokens ?? 5,
    error: failed ? { code: 'NUMERIC_ERROR', message: 'x' } : null,
    timings: { queueMs: 0, ttftMs: 1, totalMs: 2 },
    finishedAtMs: Date.parse(use.at),
  });
}

/** As of a generation that was admitted when it ended; before this it is too young for housekeeping to miss its job. */
export async function settle(test: TestApp, settlement: Settlement): Promise<SettlementResult> {
  const { generationId, finishedAtMs } = settlement;
  await sql(test, 'UPDATE generations SET created_at = $2 WHERE id = $1', [generationId, new Date(finishedAtMs)]);
  return test.app.get(SettlementService, { strict: false }).apply(settlement);
}

/** Admits and settles; the generation's id. */
export async function use(test: TestApp, tenantId: string, what: Use): Promise<string> {
  const settlement = await admit(test, tenantId, what);
  await settle(test, settlement);
  return settlement.generationId;
}

export const apiKeyIdOf = async (test: TestApp, tenantId: string): Promise<string> => {
  const [row] = await sql<{ id: string }>(test, 'SELECT id FROM api_keys WHERE tenant_id = $1', [tenantId]);
  return row?.id as string;
};

/** A further price of the test model, in nano-dollars per token. */
export async function addPrice(test: TestApp, prompt: number, completion: number): Promise<string> {
  const id = randomUUID();
  await sql(
    test,
    'INSERT INTO prices (id, base_model_id, prompt_nano_usd_per_token, completion_nano_usd_per_token) VALUES ($1, $2, $3, $4)',
    [id, TEST_MODEL, prompt, completion],
  );
  return id;
}
