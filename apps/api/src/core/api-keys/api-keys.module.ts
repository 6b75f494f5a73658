import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { TargetsModule } from '../targets/targets.module.js';
import { ApiKeyLimitsResolver } from './api-key-limits.resolver.js';
import { ApiKeyResolver } from './api-key.resolver.js';
import { ApiKeyService } from './api-key.service.js';
import { ApiKeyTargetsResolver } from './api-key-targets.resolver.js';
import { KeyTargets } from './key-targets.js';

@Module({
  imports: [BaseModelsModule, LimitsModule, TargetsModule],
  providers: [ApiKeyService, KeyTargets, ApiKeyResolver, ApiKeyLimitsResolver, ApiKeyTargetsResolver],
  exports: [ApiKeyService],
})
export class ApiKeysModule {}
