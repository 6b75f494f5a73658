/** Which limits hold for a tenant and its API keys, and how they are set. Held against them is `AdmissionService`'s. */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { z } from 'zod';
import { CONFIG, type Config } from '../../base/config/config.js';
import { validInput } from '../../base/errors/validate.js';
import { monthOf, startOf } from '../../base/month.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { ApiKeyModel } from '../../models/api-key.model.js';
import { LimitModel, type Limits } from '../../models/limit.model.js';
import { SpendModel, type Use } from '../../models/spend.model.js';
import { TenantModel } from '../../models/tenant.model.js';
import type { AuditFields } from '../audit/audit-event.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { limitFields } from './limit-fields.js';
import { defaultLimits, limitCeilings, NO_LIMITS, within } from './limit-bounds.js';

/** Amounts add up in 64 bits, with room for every key's. */
const BUDGET_MAX = 10n ** 18n;

const count = z.number().int().min(1, 'expected 1 or more, or null for no limit').max(2_147_483_647).nullish();
const budget = z.bigint().min(0n, 'expected 0 or more, or null for no budget').max(BUDGET_MAX, `expected at most ${BUDGET_MAX}`).nullish();
export const limitsSchema = z.object({
  requestsPerMinute: count,
  tokensPerMinute: count,
  parallelRequests: count,
  budgetSoft: budget,
  budgetHard: budget,
});
/** What is left out stays as it is; null removes the limit. */
type LimitsChange = z.output<typeof limitsSchema>;

export interface LimitsInUse {
  limits: Limits;
  use: Use;
}

/** Whoever changes limits holds it alone, an admission shared: a change that is answered holds for all that are let in from then on. */
const LIMITS_LOCK = 'limits';

const thisMonth = (): Date => startOf(monthOf(new Date()));
const UNUSED: Use = { open: 0, spentNanoUsd: 0n, reservedNanoUsd: 0n };

@Injectable()
export class LimitsService {
  private readonly defaults: Limits;
  readonly ceilings: Limits;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly db: TenantDatabase,
    private readonly rows: LimitModel,
    private readonly spend: SpendModel,
    private readonly apiKeys: ApiKeyModel,
    private readonly tenants: TenantModel,
    private readonly audit: AuditTrail,
  ) {
    this.ceilings = limitCeilings(config);
    this.defaults = defaultLimits(config);
  }

  /** In an open transaction: what a request of the key has to keep to, in one look. */
  async of(apiKeyId: string | null): Promise<{ tenant: Limits; key: Limits }> {
    const rows = await this.rows.of(apiKeyId);
    const tenant = rows.find((row) => row.apiKeyId === null) ?? this.defaults;
    const key = rows.find((row) => row.apiKeyId !== null) ?? NO_LIMITS;
    return { tenant: within(tenant, this.ceilings), key };
  }

  /** The same for who acts on them: they do not change until the transaction ends. */
  async held(apiKeyId: string | null): Promise<{ tenant: Limits; key: Limits }> {
    await this.db.lockShared(LIMITS_LOCK);
    return this.of(apiKeyId);
  }

  ofTenant(tenantId: string): Promise<LimitsInUse> {
    return this.db.inTenant(tenantId, async () => {
      const { tenant: limits } = await this.of(null);
      const { tenant: use } = await this.spend.use(null, thisMonth());
      return { limits, use };
    });
  }

  /** By key id; a key that is not there has neither limits nor use. */
  ofKeys(tenantId: string): Promise<(apiKeyId: string) => LimitsInUse> {
    return this.db.inTenant(tenantId, async () => {
      const limits = new Map((await this.rows.ofAllKeys()).map((row) => [row.apiKeyId, row]));
      const uses = new Map((await this.spend.useOfKeys(thisMonth())).map((row) => [row.apiKeyId, row]));
      return (id) => ({ limits: limits.get(id) ?? NO_LIMITS, use: uses.get(id) ?? UNUSED });
    });
  }

  async changeTenant(tenantId: string, input: unknown): Promise<void> {
    const change = validInput(limitsSchema, input);
    await this.db.inTenant(tenantId, async () => {
      await this.db.lock(LIMITS_LOCK);
      const { tenant: before } = await this.of(null);
      const limits = changed(before, change);
      this.refuseAboveCeilings(change);
      await this.rows.put(null, limits);
      const { name } = await this.tenants.current();
      await this.audit.record('limits.update', { id: tenantId, label: name }, { before: limitFields(before), after: limitFields(limits) });
    });
  }

  async changeKey(tenantId: string, apiKeyId: string, input: unknown): Promise<void> {
    const change = validInput(limitsSchema, input);
    await this.db.inTenant(tenantId, async () => {
      await this.db.lock(LIMITS_LOCK);
      const known = isUuid(apiKeyId) && (await this.apiKeys.find(apiKeyId));
      if (!known) throw new ArilError('NOT_FOUND', 'apiKeyId: there is no such API key', 'apiKeyId');
      const { key: before } = await this.of(apiKeyId);
      const limits = changed(before, change);
      await this.rows.put(apiKeyId, limits);
      await this.audit.record('limits.update', { id: apiKeyId, label: known.name }, { before: limitFields(before), after: limitFields(limits) });
    });
  }

  /** In the transaction that makes the key, so that it never has none of them. What the audit log says of them. */
  async setForNewKey(apiKeyId: string, change: LimitsChange): Promise<AuditFields> {
    const limits = changed(NO_LIMITS, change);
    await this.rows.put(apiKeyId, limits);
    return limitFields(limits);
  }

  /** No limit is above every ceiling. */
  private refuseAboveCeilings(change: LimitsChange): void {
    const { requestsPerMinute, tokensPerMinute, parallelRequests, budgetHardNanoUsd } = this.ceilings;
    const ceilings = { requestsPerMinute, tokensPerMinute, parallelRequests, budgetHard: budgetHardNanoUsd };
    for (const [field, ceiling] of Object.entries(ceilings)) {
      const asked = change[field as keyof typeof ceilings];
      if (ceiling === null || asked === undefined || (asked !== null && asked <= ceiling)) continue;
      const found = asked === null ? 'none' : String(asked);
      throw new ArilError('BAD_INPUT', `${field}: expected at most ${ceiling}, which the operator allows, found ${found}`, field);
    }
  }
}

/** @throws BAD_INPUT when the two budgets do not go together. */
function changed(limits: Limits, change: LimitsChange): Limits {
  const pick = <T>(asked: T | null | undefined, before: T | null): T | null => (asked === undefined ? before : asked);
  const soft = pick(change.budgetSoft, limits.budgetSoftNanoUsd);
  const hard = pick(change.budgetHard, limits.budgetHardNanoUsd);
  if (soft !== null && hard !== null && soft > hard) {
    throw new ArilError('BAD_INPUT', `budgetSoft: expected at most the hard budget, ${hard}, found ${soft}`, 'budgetSoft');
  }
  return {
    requestsPerMinute: pick(change.requestsPerMinute, limits.requestsPerMinute),
    tokensPerMinute: pick(change.tokensPerMinute, limits.tokensPerMinute),
    parallelRequests: pick(change.parallelRequests, limits.parallelRequests),
    budgetSoftNanoUsd: soft,
    budgetHardNanoUsd: hard,
  };
}
