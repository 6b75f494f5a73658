import { Global, Module } from '@nestjs/common';
import { AuditExportController } from './audit-export.controller.js';
import { AuditResolver } from './audit.resolver.js';
import { AuditRetention } from './audit-retention.js';
import { AuditService } from './audit.service.js';
import { AuditTrail } from './audit-trail.js';

/** Global: every feature that changes something records it. */
@Global()
@Module({ controllers: [AuditExportController], providers: [AuditTrail, AuditService, AuditResolver, AuditRetention], exports: [AuditTrail] })
export class AuditModule {}
