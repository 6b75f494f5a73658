/** What a tenant can name as `model`: its adapters that are ready, and the base models. */
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { BaseModelModel } from '../../models/base-model.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';

export interface OpenAiModel {
  id: string;
  object: 'model';
  /** Seconds since the epoch. */
  created: number;
  owned_by: string;
  /** Not OpenAI's, but vLLM's: the base model of an adapter. */
  parent: string | null;
}

@Injectable()
export class ModelListService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly baseModels: BaseModelService,
    private readonly baseModelRows: BaseModelModel,
  ) {}

  async list(tenantId: string): Promise<OpenAiModel[]> {
    const served = this.baseModels.list().map(({ id }) => id);
    const rows = await this.baseModelRows.list(served);
    const adapters = await this.db.inTenant(tenantId, () => this.adapters.all('READY'));
    return [
      ...rows.map(({ id, createdAt }) => modelOf(id, createdAt, 'aril', null)),
      ...adapters
        .filter(({ baseModelId }) => served.includes(baseModelId))
        .map(({ slug, createdAt, baseModelId }) => modelOf(slug, createdAt, tenantId, baseModelId)),
    ];
  }
}

function modelOf(id: string, createdAt: Date, ownedBy: string, parent: string | null): OpenAiModel {
  return { id, object: 'model', created: Math.floor(createdAt.getTime() / 1_000), owned_by: ownedBy, parent };
}
