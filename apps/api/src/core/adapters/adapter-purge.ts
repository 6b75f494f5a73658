/**
 * Removes the objects of deleted adapters, later: generations admitted before the delete may still be fetching them. What
 * is to be removed is what the rows say, so neither a Redis without its data nor a process that dies leaves any behind.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { ObjectStore } from '@aril/object-store';
import { CONFIG, type Config } from '../../base/config/config.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import type { Schedule } from '../../base/redis/schedule.js';
import { Schedules } from '../../base/redis/schedules.js';
import { OBJECT_STORE } from '../../integrations/object-storage/object-storage.module.js';
import { type AdapterKey, AdapterModel } from '../../models/adapter.model.js';
import { AuditTrail } from '../audit/audit-trail.js';

const SWEEP_EVERY_MS = 60_000;
const ADAPTERS_PER_SWEEP = 500;
/** From the choice of an adapter to the row of its generation, from which that one's time counts, at most. */
const ADMISSION_MS_MAX = 60_000;

@Injectable()
export class AdapterPurge implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(AdapterPurge.name);
  private readonly schedule: Schedule;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    schedules: Schedules,
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly audit: AuditTrail,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {
    this.schedule = schedules.of('adapters', [{ name: 'adapter.purgeDeleted', everyMs: SWEEP_EVERY_MS, run: () => this.sweep() }]);
  }

  onModuleInit(): void {
    this.schedule.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.schedule.close();
  }

  /** `now` in milliseconds since the epoch. What fails is tried again by the next sweep. */
  async sweep(now = Date.now()): Promise<void> {
    const unneeded = new Date(now - this.config.GENERATION_TIMEOUT_S * 1_000 - ADMISSION_MS_MAX);
    for (const key of await this.adapters.unpurgedBefore(unneeded, ADAPTERS_PER_SWEEP)) {
      try {
        await this.purge(key, unneeded);
      } catch (error) {
        this.logger.error({ adapterId: key.id, err: error }, 'could not purge an adapter');
      }
    }
  }

  /** Under the content's lock, so that an upload of equal content either keeps its objects or puts them again. */
  private async purge({ tenantId, id }: AdapterKey, unneeded: Date): Promise<void> {
    await this.database.inTenant(tenantId, async () => {
      const row = await this.adapters.findUnpurged(id);
      if (!row?.sha256) return;
      await this.database.lock(contentLock(row.sha256));
      const holders = await this.adapters.countHolders(row.sha256, unneeded);
      for (const { objectKey } of holders === 0 ? row.files : []) if (objectKey) await this.objects.delete(objectKey);
      await this.adapters.setPurged(id, new Date());
      if (holders === 0) await this.audit.recordOnce('adapter.purge', { id: row.id, label: row.slug }, { before: { sha256: row.sha256 } });
    });
  }
}

/** Whoever puts or removes a tenant's objects of this content holds it. */
export const contentLock = (sha256: string): string => `adapter-content:${sha256}`;
