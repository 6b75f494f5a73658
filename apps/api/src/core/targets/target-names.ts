/**
 * The names that a tenant's requests can ask for. Base models, adapters and deployments share them, so whoever makes
 * one of the latter two reserves its name here.
 */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { DeploymentModel } from '../../models/deployment.model.js';
import { BaseModelService } from '../base-models/base-model.service.js';

@Injectable()
export class TargetNames {
  constructor(
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly deployments: DeploymentModel,
    private readonly baseModels: BaseModelService,
  ) {}

  /** Until the transaction ends, the tenant's adapters and deployments neither come, go nor refer to others anew. */
  lock(): Promise<void> {
    return this.database.lock('targets');
  }

  /**
   * Locks, and sees to it that nothing has the name. An adapter that never became usable gives way to another adapter.
   * @throws CONFLICT saying what has it
   */
  async reserve(slug: string, kind: 'adapter' | 'deployment'): Promise<void> {
    if (this.baseModels.find(slug)) refuse(`"${slug}" is the id of a base model; expected another name`);
    await this.lock();
    const adapter = await this.adapters.findBySlug(slug);
    if (adapter && (kind === 'deployment' || adapter.status === 'READY')) {
      refuse(`there is an adapter "${slug}" already; delete it first or choose another name`);
    }
    if (await this.deployments.route(slug)) {
      refuse(`there is a deployment "${slug}" already; delete it first or choose another name`);
    }
  }
}

function refuse(why: string): never {
  throw new ArilError('CONFLICT', `slug: ${why}`, 'slug');
}
