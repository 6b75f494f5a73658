/** What a target name of a request stands for in the caller's tenant: one of its adapters, or a base model. */
import { Injectable } from '@nestjs/common';
import { adapterRefSchema, ArilError, type AdapterRef } from '@aril/contracts';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel, type AdapterRow } from '../../models/adapter.model.js';
import type { Price } from '../../models/ledger.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';

export interface GenerationTarget {
  baseModelId: string;
  contextTokens: number;
  priceId: string;
  price: Price;
  adapterId: string | null;
  adapter: AdapterRef | null;
}

@Injectable()
export class GenerationTargets {
  constructor(
    private readonly db: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly baseModels: BaseModelService,
  ) {}

  /** `field` is what the caller's door calls the target, for the error. */
  async resolve(tenantId: string, target: string, field: string): Promise<GenerationTarget> {
    const adapter = await this.db.inTenant(tenantId, () => this.adapters.findBySlug(target));
    const baseModelId = adapter?.baseModelId ?? target;
    const baseModel = this.baseModels.find(baseModelId);
    if (!baseModel) {
      throw new ArilError('MODEL_NOT_FOUND', `${field}: there is no adapter and no base model ${quote(target)}`, field);
    }
    return {
      baseModelId,
      contextTokens: baseModel.contextTokens,
      priceId: baseModel.priceId,
      price: baseModel,
      adapterId: adapter?.id ?? null,
      adapter: adapter && refOf(adapter, field),
    };
  }
}

function refOf(adapter: AdapterRow, field: string): AdapterRef {
  if (adapter.status !== 'READY') {
    const why = adapter.status === 'UPLOADING' ? 'its upload is not finished' : 'it was refused';
    throw new ArilError('ADAPTER_NOT_READY', `${field}: the adapter ${quote(adapter.slug)} cannot be used: ${why}`, field);
  }
  return adapterRefSchema.parse({
    sha256: adapter.sha256,
    files: adapter.files.map((file) => ({
      name: file.name,
      key: file.objectKey,
      sha256: file.sha256,
      bytes: Number(file.bytes),
    })),
  });
}

/** A name in an error message, cut: it can be anything the caller sent. */
const quote = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
