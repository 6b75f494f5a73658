/** Removes files that are deleted, expired or never came to their end: first the object, then the row, so that none is left behind. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ObjectStore } from '@aril/object-store';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../../integrations/object-storage/object-storage.module.js';
import { BatchFileModel, type BatchFileKey } from '../../../models/batch-file.model.js';
import { fileLock, objectKey } from './batch-file.service.js';

const FILES_PER_SWEEP = 500;
/** Longer than any upload or output takes. */
const COMING_MS_MAX = 24 * 60 * 60 * 1_000;

@Injectable()
export class BatchFilePurge {
  private readonly logger = new Logger(BatchFilePurge.name);

  constructor(
    private readonly db: TenantDatabase,
    private readonly files: BatchFileModel,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /** `now` in milliseconds since the epoch. What fails is tried again by the next sweep. */
  async sweep(now = Date.now()): Promise<void> {
    for (const key of await this.files.unneeded(new Date(now - COMING_MS_MAX), FILES_PER_SWEEP)) {
      try {
        await this.purge(key);
      } catch (error) {
        this.logger.error({ fileId: key.id, err: error }, 'could not purge a file of a batch');
      }
    }
  }

  private async purge(key: BatchFileKey): Promise<void> {
    await this.db.inTenant(key.tenantId, async () => {
      await this.db.lock(fileLock(key.id));
      // One that expires while a batch reads it stays until the batch has ended, a day later at most.
      if (await this.files.isInput(key.id)) return;
      await this.objects.delete(objectKey(key));
      await this.files.purge(key.id);
    });
  }
}
