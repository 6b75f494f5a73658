import { Global, Module } from '@nestjs/common';
import { AdapterImportModel } from './adapter-import.model.js';
import { AdapterModel } from './adapter.model.js';
import { ApiKeyModel } from './api-key.model.js';
import { AuditEventModel } from './audit-event.model.js';
import { BaseModelModel } from './base-model.model.js';
import { BillingDetailsModel } from './billing-details.model.js';
import { ComparisonModel } from './comparison.model.js';
import { DeploymentModel } from './deployment.model.js';
import { GenerationModel } from './generation.model.js';
import { LedgerModel } from './ledger.model.js';
import { LimitModel } from './limit.model.js';
import { SpendModel } from './spend.model.js';
import { StatementModel } from './statement.model.js';
import { TenantModel } from './tenant.model.js';
import { UsageModel } from './usage.model.js';

const MODELS = [
  ...[TenantModel, ApiKeyModel, BaseModelModel, AdapterModel, AdapterImportModel, DeploymentModel, ComparisonModel, GenerationModel],
  ...[LedgerModel, UsageModel, StatementModel, BillingDetailsModel, LimitModel, SpendModel, AuditEventModel],
];

/** Rows. The only files that import Prisma's types are here and in base/prisma. */
@Global()
@Module({ providers: MODELS, exports: MODELS })
export class ModelsModule {}
