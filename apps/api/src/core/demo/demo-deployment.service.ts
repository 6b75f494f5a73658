import { Injectable } from '@nestjs/common';
import { AdapterService } from '../adapters/adapter.service.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { DeploymentService } from '../deployments/deployment.service.js';
import type { DemoDeployment } from './demo-tenants.js';

@Injectable()
export class DemoDeploymentService {
  constructor(
    private readonly deployments: DeploymentService,
    private readonly adapters: AdapterService,
    private readonly baseModels: BaseModelService,
  ) {}

  /** A name that someone has given to something of his own meanwhile is his. */
  async ensure(tenantId: string, demo: DemoDeployment): Promise<void> {
    const taken = (await this.deployments.findBySlug(tenantId, demo.slug)) ?? (await this.adapters.findBySlug(tenantId, demo.slug));
    const [model] = this.baseModels.list();
    if (!taken) await this.deployments.create(tenantId, { ...demo, baseModelId: model?.id });
  }
}
