/**
 * Applies the end of a generation: the row's terminal state and the ledger row, in one transaction. The row lock
 * makes deliveries of the same end follow each other, and the second finds nothing left to do. In that transaction the
 * actual cost takes the reservation's place: reserved is what open rows say, and the row is open no more.
 */
import { Injectable, Logger } from '@nestjs/common';
import { ArilError, type FinishReason, type Settlement } from '@aril/contracts';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { GenerationModel, isOpen, type GenerationEnd, type LockedGeneration } from '../../models/generation.model.js';
import { LedgerModel } from '../../models/ledger.model.js';
import { RateLimiter } from '../limits/rate-limiter.js';
import { chargeFor, type Charge } from './settlement-charge.js';
import { SettlementMetrics } from './settlement-metrics.js';

const STATUS: Record<FinishReason, GenerationEnd['status']> = {
  stop: 'SUCCEEDED',
  length: 'SUCCEEDED',
  cancelled: 'CANCELLED',
  error: 'FAILED',
};

export type SettlementResult = 'applied' | 'already settled';

@Injectable()
export class SettlementService {
  private readonly logger = new Logger(SettlementService.name);

  constructor(
    private readonly db: TenantDatabase,
    private readonly generations: GenerationModel,
    private readonly ledger: LedgerModel,
    private readonly adapters: AdapterModel,
    private readonly rates: RateLimiter,
    private readonly metrics: SettlementMetrics,
  ) {}

  /** @throws ArilError NOT_FOUND when the tenant has no such generation. */
  async apply(settlement: Settlement): Promise<SettlementResult> {
    const settled = await this.db.inTenant(settlement.tenantId, async () => {
      const row = await this.generations.lock(settlement.generationId);
      if (!row) throw new ArilError('NOT_FOUND', `no generation ${settlement.generationId} in its tenant`);
      if (!isOpen(row)) return null;
      const at = endedAt(row, settlement);
      await this.generations.end(row.id, endOf(settlement, at));
      return { row, charge: await this.charge(row, settlement, at) };
    });
    if (!settled) return 'already settled';
    this.metrics.charge(settled.row.baseModelId, settled.charge.amountNanoUsd);
    this.release(settled.row, settled.charge);
    return 'applied';
  }

  private release(row: LockedGeneration, charge: Charge): void {
    this.rates.settleTokens(row, row.reservedTokens, charge.promptTokens + charge.completionTokens);
    // Budgets hold only as long as no model's tokenizer or template makes more of a text than is thought possible.
    const { reservedNanoUsd } = row;
    if (charge.amountNanoUsd > reservedNanoUsd && reservedNanoUsd > 0n) {
      this.logger.error({ generationId: row.id, ...charge, reservedNanoUsd }, 'a generation cost more than its worst case');
    }
  }

  private async charge(row: LockedGeneration, settlement: Settlement, at: Date): Promise<Charge> {
    const { baseModelId, adapterId, deploymentId, target, variant, apiKeyId, priceId } = row;
    const charge = chargeFor(settlement, await this.ledger.price(priceId));
    const failed = settlement.finishReason === 'error';
    await this.ledger.insert({
      generationId: row.id,
      baseModelId,
      adapterId,
      deploymentId,
      target,
      variant,
      apiKeyId,
      priceId,
      failed,
      at,
      ...charge,
    });
    if (adapterId) await this.adapters.noteUse(adapterId, at);
    return charge;
  }
}

/**
 * After the admission and not after now, whatever the runner's clock says. Earlier, a month would be charged whose budget
 * was not asked; later, one that comes long after this, and until then nobody would be billed, nor the text removed.
 */
const endedAt = ({ createdAt }: LockedGeneration, { finishedAtMs }: Settlement): Date =>
  new Date(Math.max(createdAt.getTime(), Math.min(finishedAtMs, Date.now())));

function endOf(settlement: Settlement, finishedAt: Date): GenerationEnd {
  const { finishReason, text, choices, promptTokens, cachedTokens, completionTokens, reasoningTokens = 0, predictionTokens, error, timings, runnerId } = settlement;
  return {
    status: STATUS[finishReason],
    finishReason: finishReason.toUpperCase() as Uppercase<FinishReason>,
    text: storable(text),
    choices: choices && choices.map((choice) => ({ ...choice, text: storable(choice.text) })),
    promptTokens,
    cachedTokens,
    completionTokens,
    reasoningTokens,
    acceptedPredictionTokens: predictionTokens?.accepted ?? null,
    rejectedPredictionTokens: predictionTokens?.rejected ?? null,
    errorCode: error?.code ?? null,
    errorMessage: error ? storable(error.message) : null,
    ...timings,
    runnerId,
    finishedAt,
  };
}

/** Neither text nor JSON of Postgres can hold NUL, which a model can produce. */
const storable = (text: string): string => text.replaceAll('\0', '\u{FFFD}');
