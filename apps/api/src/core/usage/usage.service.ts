/** What a tenant used and owes, summed from the ledger. */
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../../base/auth/caller.js';
import { targetsOf } from '../../base/auth/targets.js';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { ApiKeyModel } from '../../models/api-key.model.js';
import { UsageModel, type UsageDimension, type UsageGroup, type UsageRange, type UsageSums } from '../../models/usage.model.js';
import { usageRangeSchema } from './usage-range.js';
import type { UsageInput } from './usage.types.js';

const BY_DAY_AND_TARGET: UsageDimension[] = ['DAY', 'TARGET'];

const usageSchema = z.object({
  adapterId: z.uuid().nullish(),
  deploymentId: z.uuid().nullish(),
  groupBy: z
    .array(z.enum(['DAY', 'TARGET', 'API_KEY', 'BASE_MODEL']))
    .min(1, 'expected at least one of DAY, TARGET, API_KEY, BASE_MODEL')
    .nullish(),
});

type NamedGroup = UsageGroup & { apiKeyName: string | null };

export interface UsageView extends UsageRange {
  groupBy: UsageDimension[];
  groups: NamedGroup[];
  totals: UsageSums;
}

@Injectable()
export class UsageService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly usages: UsageModel,
    private readonly keys: ApiKeyModel,
  ) {}

  async report(caller: Caller, input: UsageInput): Promise<UsageView> {
    const { from, to } = validInput(usageRangeSchema, input);
    const { adapterId, deploymentId, groupBy } = validInput(usageSchema, input);
    const range = { from, to, adapterId: adapterId ?? null, deploymentId: deploymentId ?? null, targetIds: targetsOf(caller) };
    const by = groupBy ?? BY_DAY_AND_TARGET;
    return this.db.inTenant(caller.tenantId, async () => {
      const { groups, totals } = await this.usages.usage(range, by);
      const names = by.includes('API_KEY') ? await this.keys.names() : new Map<string, string>();
      const named = groups.map((group) => ({ ...group, apiKeyName: group.apiKeyId && (names.get(group.apiKeyId) ?? null) }));
      return { ...range, groupBy: by, groups: named, totals };
    });
  }

  /** By day and target, whatever else was asked for. */
  async rows(tenantId: string, { groupBy, groups, ...range }: UsageView): Promise<UsageGroup[]> {
    if (groupBy === BY_DAY_AND_TARGET) return groups;
    return (await this.db.inTenant(tenantId, () => this.usages.usage(range, BY_DAY_AND_TARGET))).groups;
  }
}
