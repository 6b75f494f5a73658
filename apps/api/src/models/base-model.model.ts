import { Injectable } from '@nestjs/common';
import { PrismaService } from '../base/prisma/prisma.service.js';
import type { BaseModel, Price } from '../generated/prisma/client.js';

export type BaseModelRow = BaseModel & { price: Price };

export interface CatalogEntry {
  id: string;
  name: string;
  family: string;
  license: string;
  contextTokens: number;
  promptNanoUsdPerToken: bigint;
  completionNanoUsdPerToken: bigint;
}

/** Any number will do, as long as all copies of the API agree on it. */
const CATALOG_LOCK = 7_261_001;

/** Base models and prices: what all tenants share, so no tenant is needed to read it. */
@Injectable()
export class BaseModelModel {
  constructor(private readonly prisma: PrismaService) {}

  async list(ids: string[]): Promise<BaseModelRow[]> {
    const rows = await this.prisma.baseModel.findMany({
      where: { id: { in: ids } },
      include: { prices: { orderBy: [{ validFrom: 'desc' }, { id: 'desc' }], take: 1 } },
      orderBy: { id: 'asc' },
    });
    return rows.flatMap(({ prices, ...row }) => (prices[0] ? [{ ...row, price: prices[0] }] : []));
  }

  /** Brings the rows to what the catalog says. A changed price becomes a new row; old generations keep theirs. */
  async upsertAll(entries: CatalogEntry[]): Promise<void> {
    await this.prisma.$transaction(async (tx) => {
      // Copies of the API that start together must not each add the same new price.
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(${CATALOG_LOCK})`;
      for (const { promptNanoUsdPerToken, completionNanoUsdPerToken, ...model } of entries) {
        await tx.baseModel.upsert({ where: { id: model.id }, create: model, update: model });
        const newest = await tx.price.findFirst({
          where: { baseModelId: model.id },
          orderBy: [{ validFrom: 'desc' }, { id: 'desc' }],
        });
        const same =
          newest?.promptNanoUsdPerToken === promptNanoUsdPerToken &&
          newest.completionNanoUsdPerToken === completionNanoUsdPerToken;
        if (!same) await tx.price.create({ data: { baseModelId: model.id, promptNanoUsdPerToken, completionNanoUsdPerToken } });
      }
    });
  }
}
