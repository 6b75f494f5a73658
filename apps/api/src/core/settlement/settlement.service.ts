/**
 * Applies the end of a generation: the row's terminal state and the ledger row, in one transaction. The row lock
 * makes deliveries of the same end follow each other, and the second finds nothing left to do.
 */
import { Injectable } from '@nestjs/common';
import { ArilError, type FinishReason, type Settlement } from '@aril/contracts';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { GenerationModel, isOpen, type GenerationEnd, type GenerationRow } from '../../models/generation.model.js';
import { LedgerModel } from '../../models/ledger.model.js';
import { chargeFor } from './settlement-charge.js';

const STATUS: Record<FinishReason, GenerationEnd['status']> = {
  stop: 'SUCCEEDED',
  length: 'SUCCEEDED',
  cancelled: 'CANCELLED',
  error: 'FAILED',
};

export type SettlementResult = 'applied' | 'already settled';

@Injectable()
export class SettlementService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly generations: GenerationModel,
    private readonly ledger: LedgerModel,
    private readonly adapters: AdapterModel,
  ) {}

  /** @throws ArilError NOT_FOUND when the tenant has no such generation. */
  apply(settlement: Settlement): Promise<SettlementResult> {
    return this.db.inTenant(settlement.tenantId, async () => {
      const row = await this.generations.lock(settlement.generationId);
      if (!row) throw new ArilError('NOT_FOUND', `no generation ${settlement.generationId} in its tenant`);
      if (!isOpen(row)) return 'already settled';
      await this.generations.end(row.id, endOf(settlement));
      await this.charge(row, settlement);
      return 'applied';
    });
  }

  private async charge(row: GenerationRow, settlement: Settlement): Promise<void> {
    const { baseModelId, adapterId, target, apiKeyId, priceId } = row;
    const at = new Date(settlement.finishedAtMs);
    const charge = chargeFor(settlement, await this.ledger.price(priceId));
    const failed = settlement.finishReason === 'error';
    await this.ledger.insert({
      generationId: row.id,
      baseModelId,
      adapterId,
      target,
      apiKeyId,
      priceId,
      failed,
      at,
      ...charge,
    });
    if (adapterId) await this.adapters.noteUse(adapterId, at);
  }
}

function endOf(settlement: Settlement): GenerationEnd {
  const { finishReason, text, choices, promptTokens, cachedTokens, completionTokens, error, timings, runnerId } = settlement;
  return {
    status: STATUS[finishReason],
    finishReason: finishReason.toUpperCase() as Uppercase<FinishReason>,
    text: storable(text),
    choices: choices && choices.map((choice) => ({ ...choice, text: storable(choice.text) })),
    promptTokens,
    cachedTokens,
    completionTokens,
    errorCode: error?.code ?? null,
    errorMessage: error ? storable(error.message) : null,
    ...timings,
    runnerId,
    finishedAt: new Date(settlement.finishedAtMs),
  };
}

/** Neither text nor JSON of Postgres can hold NUL, which a model can produce. */
const storable = (text: string): string => text.replaceAll('\0', '\u{FFFD}');
