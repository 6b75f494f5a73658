/**
 * What a target name of a request stands for in the caller's tenant: one of its adapters, a variant of one of its
 * deployments, or a base model.
 */
import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { adapterRefSchema, ArilError, type AdapterRef } from '@aril/contracts';
import type { Caller } from '../../base/auth/caller.js';
import { mayName } from '../../base/auth/targets.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel, type AdapterRow } from '../../models/adapter.model.js';
import { DeploymentModel } from '../../models/deployment.model.js';
import { type GenerationRow, targetIdOf } from '../../models/generation.model.js';
import type { Price } from '../../models/ledger.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { chooseVariant } from '../deployments/choose-variant.js';
import type { GenerationRequest } from './generation-request.js';

export interface GenerationTarget {
  baseModelId: string;
  contextTokens: number;
  priceId: string;
  price: Price;
  adapterId: string | null;
  adapter: AdapterRef | null;
  deploymentId: string | null;
  /** What the deployment chose: an adapter's slug or the base model's id. Null without a deployment. */
  variant: string | null;
}

interface Found {
  baseModelId: string;
  adapter: AdapterRow | null;
  deploymentId: string | null;
}

type Named = Pick<GenerationRequest, 'target' | 'routingKey' | 'idempotencyKey'>;

@Injectable()
export class GenerationTargets {
  constructor(
    private readonly db: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly deployments: DeploymentModel,
    private readonly baseModels: BaseModelService,
  ) {}

  /**
   * `field` is what the caller's door calls the target, for the error.
   * @throws MODEL_NOT_FOUND, also for what the caller's key is not held to
   */
  async resolve(caller: Caller, named: Named, field: string): Promise<GenerationTarget> {
    const found = await this.db.inTenant(caller.tenantId, () => this.lookUp(caller, named, field));
    return this.targetOf(found, named.target, field);
  }

  /** Of a generation that a request with the same idempotency key has left. @throws MODEL_NOT_FOUND likewise */
  requireNamed(caller: Caller, row: GenerationRow, field: string): void {
    if (!mayName(caller, targetIdOf(row))) notFound(row.target, field);
  }

  /** The same again for a generation that was admitted before: also of an adapter that was deleted since, whose objects wait for it. */
  async ofRow({ tenantId, adapterId, baseModelId, deploymentId, target }: GenerationRow, field: string): Promise<GenerationTarget> {
    const adapter = adapterId === null ? null : await this.db.inTenant(tenantId, () => this.adapters.findEver(adapterId));
    return this.targetOf({ baseModelId, adapter, deploymentId }, target, field);
  }

  private async lookUp(caller: Caller, { target, routingKey, idempotencyKey }: Named, field: string): Promise<Found> {
    const adapter = await this.adapters.findBySlug(target);
    const deployment = adapter ? null : await this.deployments.route(target);
    if (!mayName(caller, adapter?.id ?? deployment?.id ?? target)) notFound(target, field);
    if (adapter) return { baseModelId: adapter.baseModelId, adapter, deploymentId: null };
    if (!deployment) return { baseModelId: target, adapter: null, deploymentId: null };
    const { id: deploymentId, baseModelId, variants } = deployment;
    const { adapterId } = chooseVariant(deploymentId, variants, routingKey ?? idempotencyKey ?? randomUUID());
    return { baseModelId, adapter: await this.adapter(adapterId, target, field), deploymentId };
  }

  /** It is missing where it was deleted since it was chosen. */
  private async adapter(id: string | null, target: string, field: string): Promise<AdapterRow | null> {
    return id === null ? null : ((await this.adapters.find(id)) ?? notFound(target, field));
  }

  private targetOf({ baseModelId, adapter, deploymentId }: Found, target: string, field: string): GenerationTarget {
    const price = this.baseModels.find(baseModelId) ?? notFound(target, field);
    const { contextTokens, priceId } = price;
    return {
      ...{ baseModelId, contextTokens, priceId, price, deploymentId },
      adapterId: adapter?.id ?? null,
      adapter: adapter && refOf(adapter, field),
      variant: deploymentId && (adapter?.slug ?? baseModelId),
    };
  }
}

function notFound(target: string, field: string): never {
  throw new ArilError('MODEL_NOT_FOUND', `${field}: there is no adapter, deployment or base model ${quote(target)}`, field);
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
