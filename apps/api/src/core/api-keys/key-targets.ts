/** The targets that keys are held to: from the names that are asked for to ids, and back to what they are called now. */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import type { ApiKeyRow } from '../../models/api-key.model.js';
import { DeploymentModel } from '../../models/deployment.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { TargetNames } from '../targets/target-names.js';
import { targetIdsOf } from './key-secrets.js';

export type TargetKind = 'ADAPTER' | 'DEPLOYMENT' | 'BASE_MODEL';

export interface KeyTarget {
  id: string;
  kind: TargetKind;
  /** A slug, or a base model's id. */
  name: string;
  isDeleted: boolean;
}

@Injectable()
export class KeyTargets {
  constructor(
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly deployments: DeploymentModel,
    private readonly baseModels: BaseModelService,
    private readonly names: TargetNames,
  ) {}

  /**
   * The columns of a key that is held to `asked`, null for none. In the transaction that writes them: until it ends, none
   * of the targets goes.
   * @throws ArilError BAD_INPUT that names the one at fault
   */
  async resolve(asked: readonly string[] | null): Promise<Pick<ApiKeyRow, 'allTargets' | 'targetIds'>> {
    if (asked === null) return { allTargets: true, targetIds: [] };
    await this.names.lock();
    const present = [...(await this.all(this.database.tenantId)).values()].filter(({ isDeleted }) => !isDeleted);
    const ids = new Map(present.map(({ name, id }) => [name, id]));
    const targetIds = asked.map((name, index) => ids.get(name) ?? noSuchTarget(name, `targets.${index}`));
    return { allTargets: false, targetIds: [...new Set(targetIds)] };
  }

  /** Of the whole tenant, by id; those that are deleted too, and those that have left the catalog not. */
  async all(tenantId: string): Promise<ReadonlyMap<string, KeyTarget>> {
    return this.database.inTenant(tenantId, async () => {
      const [adapters, deployments] = [await this.adapters.names(), await this.deployments.names()];
      const own = (kind: TargetKind) => ({ id, slug, deletedAt }: (typeof adapters)[number]): KeyTarget => ({ id, kind, name: slug, isDeleted: deletedAt !== null });
      const models = this.baseModels.list().map(({ id }): KeyTarget => ({ id, kind: 'BASE_MODEL', name: id, isDeleted: false }));
      const targets = [...adapters.map(own('ADAPTER')), ...deployments.map(own('DEPLOYMENT')), ...models];
      return new Map(targets.map((target) => [target.id, target]));
    });
  }

  /** As the audit log shows them. */
  async inWords(key: ApiKeyRow): Promise<string[] | 'all'> {
    const ids = targetIdsOf(key);
    if (ids === null) return 'all';
    const all = await this.all(key.tenantId);
    return ids.map((id) => all.get(id)?.name ?? id);
  }
}

function noSuchTarget(name: string, field: string): never {
  throw new ArilError('BAD_INPUT', `${field}: found ${JSON.stringify(name)}, expected the slug of an adapter or a deployment, or the id of a base model`, field);
}
