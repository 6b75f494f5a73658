/** Removes events whose retention is over, where the operator has set one. That something was removed is itself an event. */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '../../base/config/config.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import type { Schedule } from '../../base/redis/schedule.js';
import { Schedules } from '../../base/redis/schedules.js';
import { AuditEventModel } from '../../models/audit-event.model.js';
import { IdentityDirectory } from '../identity/identity-directory.js';
import { AuditTrail } from './audit-trail.js';

const DAY_MS = 86_400_000;
const PURGE_EVERY_MS = 3_600_000;
/** Rows per transaction: locks are short, whatever has piled up. */
const BATCH = 1_000;

@Injectable()
export class AuditRetention implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AuditRetention.name);
  readonly schedule: Schedule;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    schedules: Schedules,
    private readonly db: TenantDatabase,
    private readonly directory: IdentityDirectory,
    private readonly events: AuditEventModel,
    private readonly trail: AuditTrail,
  ) {
    this.schedule = schedules.of('audit', [{ name: 'auditLog.purge', everyMs: PURGE_EVERY_MS, run: () => this.purge() }]);
  }

  onModuleInit(): void {
    this.schedule.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.schedule.close();
  }

  /** Of all tenants; one tenant's trouble does not keep the others waiting. `now` in milliseconds since the epoch. */
  async purge(now = Date.now()): Promise<void> {
    const { AUDIT_RETENTION_DAYS: days } = this.config;
    if (days === undefined) return;
    const before = new Date(now - days * DAY_MS);
    for (const tenantId of await this.directory.allTenantIds()) {
      try {
        await this.purgeOf(tenantId, before);
      } catch (error) {
        this.logger.error({ tenantId, err: error }, 'the audit log could not be shortened');
      }
    }
  }

  private async purgeOf(tenantId: string, before: Date): Promise<void> {
    for (let removed = BATCH; removed === BATCH; ) {
      removed = await this.db.inTenant(tenantId, async () => {
        const count = await this.events.purge(before, BATCH);
        if (count > 0) await this.trail.record('auditLog.purge', { id: tenantId, label: 'Audit log' }, { after: { removed: count, before } });
        return count;
      });
    }
  }
}
