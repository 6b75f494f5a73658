/** What a caller can name as `model`: of the base models, its tenant's adapters that are ready, and its deployments. */
import { Injectable } from '@nestjs/common';
import type { Caller } from '../../base/auth/caller.js';
import { mayName } from '../../base/auth/targets.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { BaseModelModel } from '../../models/base-model.model.js';
import { DeploymentModel } from '../../models/deployment.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';

export interface OpenAiModel {
  id: string;
  object: 'model';
  /** Seconds since the epoch. */
  created: number;
  owned_by: string;
  /** Not OpenAI's, but vLLM's: the base model of an adapter or a deployment. */
  parent: string | null;
  /** Likewise vLLM's: tokens of prompt and answer together. */
  max_model_len: number;
}

@Injectable()
export class ModelListService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly deployments: DeploymentModel,
    private readonly baseModels: BaseModelService,
    private readonly baseModelRows: BaseModelModel,
  ) {}

  async list(caller: Caller): Promise<OpenAiModel[]> {
    const { tenantId } = caller;
    const contexts = new Map(this.baseModels.list().map(({ id, contextTokens }) => [id, contextTokens]));
    const rows = await this.baseModelRows.list([...contexts.keys()].filter((id) => mayName(caller, id)));
    const own = await this.db.inTenant(tenantId, async () => [...(await this.adapters.all('READY')), ...(await this.deployments.all())]);
    return [
      ...rows.map(({ id, createdAt }) => ({ ...modelOf(id, createdAt), owned_by: 'aril', parent: null, max_model_len: contexts.get(id) ?? 0 })),
      ...own.flatMap(({ id, slug, createdAt, baseModelId }) => {
        const context = contexts.get(baseModelId);
        if (context === undefined || !mayName(caller, id)) return [];
        return { ...modelOf(slug, createdAt), owned_by: tenantId, parent: baseModelId, max_model_len: context };
      }),
    ];
  }
}

function modelOf(id: string, createdAt: Date): Pick<OpenAiModel, 'id' | 'object' | 'created'> {
  return { id, object: 'model', created: Math.floor(createdAt.getTime() / 1_000) };
}
