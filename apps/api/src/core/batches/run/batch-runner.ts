/** A batch from wherever it stands to its end. Any process may run it, and again; what is done is what the rows say. */
import { Injectable, Logger } from '@nestjs/common';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { BatchModel, OPEN_BATCHES, type BatchKey, type BatchRow } from '../../../models/batch.model.js';
import { BatchFeeder } from './batch-feeder.js';
import { BatchValidator } from './batch-validator.js';
import { BatchWriter } from './batch-writer.js';

@Injectable()
export class BatchRunner {
  private readonly logger = new Logger(BatchRunner.name);

  constructor(
    private readonly db: TenantDatabase,
    private readonly batches: BatchModel,
    private readonly validator: BatchValidator,
    private readonly feeder: BatchFeeder,
    private readonly writer: BatchWriter,
  ) {}

  async run(key: BatchKey, stop: AbortSignal): Promise<void> {
    for (let batch = await this.find(key); batch && !stop.aborted; batch = await this.find(key)) {
      const { tenantId, id: batchId, status } = batch;
      this.logger.log({ batchId, tenantId, status }, 'a batch goes on');
      await this.step(batch, stop);
    }
  }

  private async step(batch: BatchRow, stop: AbortSignal): Promise<void> {
    if (batch.status === 'VALIDATING') await this.validator.validate(batch, stop);
    else if (batch.finalizingAt === null) await this.feeder.feed(batch, stop);
    else await this.writer.write(batch);
  }

  /** null: it has ended. */
  private async find({ tenantId, id }: BatchKey): Promise<BatchRow | null> {
    const batch = await this.db.inTenant(tenantId, () => this.batches.find(id));
    return batch && OPEN_BATCHES.includes(batch.status) ? batch : null;
  }
}
