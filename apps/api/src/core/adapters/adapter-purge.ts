/**
 * Removes a deleted adapter's objects, later: generations admitted before the delete may still be fetching them.
 * The note is in Redis, so it survives restarts; whichever copy of the API is there does the work.
 */
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import type { ObjectStore } from '@aril/object-store';
import { Queue, Worker, type Job } from 'bullmq';
import { CONFIG, type Config } from '../../base/config/config.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { OBJECT_STORE } from '../../integrations/object-storage/object-storage.module.js';
import { AdapterModel } from '../../models/adapter.model.js';
import { AuditTrail } from '../audit/audit-trail.js';

const QUEUE = 'adapter-purges';
const JOB = 'adapter.purgeObjects';

interface Purge {
  tenantId: string;
  adapterId: string;
}

@Injectable()
export class AdapterPurge implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(AdapterPurge.name);
  private readonly queue: Queue<Purge>;
  private worker: Worker<Purge> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly redis: RedisService,
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly audit: AuditTrail,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {
    this.queue = new Queue(QUEUE, { connection: redis.client, prefix: QUEUE_PREFIX });
  }

  async schedule(tenantId: string, adapterId: string): Promise<void> {
    await this.queue.add(
      JOB,
      { tenantId, adapterId },
      {
        jobId: `purge-${adapterId}`,
        delay: this.config.GENERATION_TIMEOUT_S * 1000,
        attempts: 10,
        backoff: { type: 'exponential', delay: 60_000 },
        removeOnComplete: true,
        removeOnFail: { count: 1000 },
      },
    );
  }

  onApplicationBootstrap(): void {
    this.worker = new Worker<Purge>(QUEUE, (job: Job<Purge>) => this.run(job.data), {
      connection: this.redis.connect('adapter-purges'),
      prefix: QUEUE_PREFIX,
    });
    this.worker.on('error', (error) => this.logger.warn({ err: error }, 'adapter purges'));
    this.worker.on('failed', (job, error) => this.logger.error({ err: error, adapterId: job?.data.adapterId }, 'could not purge an adapter'));
  }

  async onModuleDestroy(): Promise<void> {
    await this.worker?.close();
    await this.queue.close();
  }

  /** Under the content's lock, so that an upload of equal content either keeps its objects or puts them again. */
  async run({ tenantId, adapterId }: Purge): Promise<void> {
    await this.database.inTenant(tenantId, async () => {
      const row = await this.adapters.findDeleted(adapterId);
      if (!row?.sha256) return;
      await this.database.lock(contentLock(row.sha256));
      if ((await this.adapters.holders(row.sha256)).length > 0) return;
      for (const { objectKey } of row.files) if (objectKey) await this.objects.delete(objectKey);
      await this.audit.recordOnce('adapter.purge', { id: row.id, label: row.slug }, { before: { sha256: row.sha256 } });
    });
  }
}

/** Whoever puts or removes a tenant's objects of this content holds it. */
export const contentLock = (sha256: string): string => `adapter-content:${sha256}`;
