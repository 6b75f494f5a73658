import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule } from './base/config/config.module.js';
import type { Config } from './base/config/config.js';
import { GraphqlApiModule } from './base/graphql/graphql.module.js';
import { MetricsModule } from './base/metrics/metrics.module.js';
import { PrismaModule } from './base/prisma/prisma.module.js';
import { RedisModule } from './base/redis/redis.module.js';
import { AdaptersModule } from './core/adapters/adapters.module.js';
import { ApiKeysModule } from './core/api-keys/api-keys.module.js';
import { AuditModule } from './core/audit/audit.module.js';
import { BaseModelsModule } from './core/base-models/base-models.module.js';
import { BatchesModule } from './core/batches/batches.module.js';
import { BillingModule } from './core/billing/billing.module.js';
import { DemoModule } from './core/demo/demo.module.js';
import { DeploymentsModule } from './core/deployments/deployments.module.js';
import { GenerationsModule } from './core/generations/generations.module.js';
import { HealthModule } from './core/health/health.module.js';
import { IdentityModule } from './core/identity/identity.module.js';
import { InvitationsModule } from './core/invitations/invitations.module.js';
import { LimitsModule } from './core/limits/limits.module.js';
import { OpenAiModule } from './core/openai/openai.module.js';
import { SettlementModule } from './core/settlement/settlement.module.js';
import { TenantModule } from './core/tenant/tenant.module.js';
import { UsageModule } from './core/usage/usage.module.js';
import { MailModule } from './integrations/mail/mail.module.js';
import { ObjectStorageModule } from './integrations/object-storage/object-storage.module.js';
import { ModelsModule } from './models/models.module.js';

@Module({})
export class AppModule {
  static forRoot(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config),
        MetricsModule,
        PrismaModule,
        RedisModule,
        GraphqlApiModule,
        ObjectStorageModule,
        MailModule,
        ModelsModule,
        IdentityModule,
        AuditModule,
        TenantModule,
        InvitationsModule,
        ApiKeysModule,
        BaseModelsModule,
        AdaptersModule,
        DeploymentsModule,
        DemoModule,
        HealthModule,
        LimitsModule,
        SettlementModule,
        GenerationsModule,
        UsageModule,
        BillingModule,
        // Before the module that takes what is left of /v1.
        BatchesModule,
        OpenAiModule,
      ],
    };
  }
}
