import { Module } from '@nestjs/common';
import { AdaptersModule } from '../adapters/adapters.module.js';
import { ApiKeysModule } from '../api-keys/api-keys.module.js';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { DeploymentsModule } from '../deployments/deployments.module.js';
import { TenantModule } from '../tenant/tenant.module.js';
import { DemoAdapterService } from './demo-adapter.service.js';
import { DemoDeploymentService } from './demo-deployment.service.js';
import { DemoIdentityService } from './demo-identity.service.js';
import { DemoSeeder } from './demo-seeder.js';

/** Only `seed.ts` uses it. */
@Module({
  imports: [AdaptersModule, ApiKeysModule, BaseModelsModule, DeploymentsModule, TenantModule],
  providers: [DemoAdapterService, DemoDeploymentService, DemoIdentityService, DemoSeeder],
  exports: [DemoSeeder],
})
export class DemoModule {}
