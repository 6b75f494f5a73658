import { Module } from '@nestjs/common';
import { BillingDetailsResolver } from './billing-details.resolver.js';
import { BillingDetailsService } from './billing-details.service.js';
import { StatementDownloadController } from './documents/statement-download.controller.js';
import { StatementIssuer } from './statement-issuer.js';
import { StatementLineResolver } from './statement-line.resolver.js';
import { StatementResolver, TenantStatementsResolver } from './statement.resolver.js';
import { StatementService } from './statement.service.js';
import { StatementWorker } from './statement.worker.js';

@Module({
  controllers: [StatementDownloadController],
  providers: [
    BillingDetailsService,
    BillingDetailsResolver,
    StatementService,
    StatementIssuer,
    StatementWorker,
    StatementResolver,
    TenantStatementsResolver,
    StatementLineResolver,
  ],
})
export class BillingModule {}
