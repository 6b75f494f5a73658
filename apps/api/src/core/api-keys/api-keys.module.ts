import { Module } from '@nestjs/common';
import { LimitsModule } from '../limits/limits.module.js';
import { ApiKeyLimitsResolver } from './api-key-limits.resolver.js';
import { ApiKeyResolver } from './api-key.resolver.js';
import { ApiKeyService } from './api-key.service.js';

@Module({ imports: [LimitsModule], providers: [ApiKeyService, ApiKeyResolver, ApiKeyLimitsResolver], exports: [ApiKeyService] })
export class ApiKeysModule {}
