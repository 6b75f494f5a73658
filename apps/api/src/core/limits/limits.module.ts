import { Module } from '@nestjs/common';
import { TenantModule } from '../tenant/tenant.module.js';
import { AdmissionService } from './admission.service.js';
import { LimitsService } from './limits.service.js';
import { RateLimiter } from './rate-limiter.js';
import { TenantLimitsResolver } from './tenant-limits.resolver.js';

@Module({
  imports: [TenantModule],
  providers: [LimitsService, RateLimiter, AdmissionService, TenantLimitsResolver],
  exports: [LimitsService, RateLimiter, AdmissionService],
})
export class LimitsModule {}
