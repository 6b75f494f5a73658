import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { TargetsModule } from '../targets/targets.module.js';
import { ComparisonResolver } from './comparison.resolver.js';
import { ComparisonService } from './comparison.service.js';
import { DeploymentResolver } from './deployment.resolver.js';
import { DeploymentService } from './deployment.service.js';
import { DeploymentVariants } from './deployment-variants.js';
import { TenantDeploymentsResolver } from './tenant-deployments.resolver.js';

@Module({
  imports: [BaseModelsModule, TargetsModule],
  providers: [DeploymentService, DeploymentVariants, DeploymentResolver, TenantDeploymentsResolver, ComparisonService, ComparisonResolver],
  exports: [DeploymentService],
})
export class DeploymentsModule {}
