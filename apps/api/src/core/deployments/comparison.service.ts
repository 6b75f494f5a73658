/** How a deployment's variants did beside each other. */
import { Injectable } from '@nestjs/common';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { ComparisonModel, type ComparisonRow } from '../../models/comparison.model.js';
import { usageRangeSchema } from '../usage/usage-range.js';
import type { ComparisonInput, DeploymentComparisonType, VariantComparisonType } from './comparison.types.js';
import type { DeploymentVariantType } from './deployment.types.js';
import type { DeploymentView } from './deployment.view.js';

const UNUSED = {
  requests: 0,
  failedRequests: 0,
  promptTokens: 0,
  completionTokens: 0,
  amount: 0n,
  ttftMsP50: null,
  ttftMsP95: null,
  totalMsP50: null,
  totalMsP95: null,
};

@Injectable()
export class ComparisonService {
  constructor(
    private readonly database: TenantDatabase,
    private readonly comparisons: ComparisonModel,
  ) {}

  async compare(tenantId: string, { id, variants }: DeploymentView, input: ComparisonInput): Promise<DeploymentComparisonType> {
    const range = validInput(usageRangeSchema, input);
    const rows = await this.database.inTenant(tenantId, () => this.comparisons.byVariant(id, range));
    const present = variants.map((variant) => toView(rows.find((row) => isOf(row, variant)), variant));
    const earlier = rows.filter((row) => !variants.some((variant) => isOf(row, variant)));
    return { ...range, variants: [...present, ...earlier.map((row) => ({ ...counted(row), variant: null }))] };
  }
}

const isOf = (row: ComparisonRow, { adapter }: DeploymentVariantType): boolean => row.adapterId === (adapter?.id ?? null);

const counted = ({ amountNanoUsd, ...row }: ComparisonRow): Omit<VariantComparisonType, 'variant'> => ({ ...row, amount: amountNanoUsd });

function toView(row: ComparisonRow | undefined, variant: DeploymentVariantType): VariantComparisonType {
  const { target, adapter } = variant;
  return { ...(row ? counted(row) : { ...UNUSED, target, adapterId: adapter?.id ?? null }), variant };
}
