/**
 * Writes what a batch has come to: the answers into one file, what failed into another, each in the order of the input.
 * An attempt that dies on the way leaves files that nobody sees and housekeeping removes; of two at once, one counts.
 */
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { ObjectStore } from '@aril/object-store';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../../integrations/object-storage/object-storage.module.js';
import { BatchFileModel, type BatchFileRow } from '../../../models/batch-file.model.js';
import { BatchModel, type BatchRow } from '../../../models/batch.model.js';
import { batchId } from '../batch-id.js';
import { BatchFileService } from '../files/batch-file.service.js';
import { customIdOf } from './batch-request.js';
import { notRun, type NotRun } from './batch-result.js';
import { BatchValidator } from './batch-validator.js';
import { linesOf } from './input-lines.js';

/** A result can have megabytes of log probabilities. */
const LINES_PER_QUERY = 50;

interface Written {
  row: BatchFileRow;
  bytes: bigint;
}

@Injectable()
export class BatchWriter {
  constructor(
    private readonly db: TenantDatabase,
    private readonly batches: BatchModel,
    private readonly fileRows: BatchFileModel,
    private readonly files: BatchFileService,
    private readonly validator: BatchValidator,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  async write(batch: BatchRow): Promise<void> {
    const written: Written[] = [];
    try {
      const output = batch.completed > 0 ? await this.file(batch, 'output', this.results(batch, false)) : null;
      if (output) written.push(output);
      const errors = batch.completed < batch.total ? await this.file(batch, 'error', this.failures(batch)) : null;
      if (errors) written.push(errors);
      if (await this.close(batch, output, errors)) return;
      for (const { row } of written) await this.files.discard(row);
    } catch (error) {
      for (const { row } of written) await this.files.discard(row).catch(() => undefined);
      throw error;
    }
  }

  private async file(batch: BatchRow, what: 'output' | 'error', lines: AsyncGenerator<string>): Promise<Written> {
    const row = await this.files.begin(batch, `${batchId(batch.id)}_${what}.jsonl`, 'batch_output');
    try {
      const { bytes } = await this.files.put(row, Readable.from(inBytes(lines), { objectMode: false }));
      return { row, bytes: BigInt(bytes) };
    } catch (error) {
      await this.files.discard(row);
      throw error;
    }
  }

  private async *results({ tenantId, id }: BatchRow, failed: boolean): AsyncGenerator<string> {
    for (let position = 0; ; ) {
      const rows = await this.db.inTenant(tenantId, () => this.batches.results(id, failed, position, LINES_PER_QUERY));
      for (const { result } of rows) if (result !== null) yield result;
      position = rows.at(-1)?.position ?? position;
      if (rows.length < LINES_PER_QUERY) return;
    }
  }

  /** Those that failed, and those that were not begun. */
  private async *failures(batch: BatchRow): AsyncGenerator<string> {
    yield* this.results(batch, true);
    if (batch.completed + batch.failed === batch.total) return;
    const why: NotRun = batch.status === 'CANCELLING' ? 'batch_cancelled' : 'batch_expired';
    const from = { line: batch.fedLines, start: Number(batch.fedBytes) };
    for await (const line of linesOf(this.objects, await this.validator.inputOf(batch), from)) {
      yield notRun({ batchId: batch.id, position: line.position, customId: customIdOf(line) }, why).result;
    }
  }

  /** false: another process has closed it. */
  private close(batch: BatchRow, output: Written | null, errors: Written | null): Promise<boolean> {
    const { tenantId, id, completed, total, status, expiredAt } = batch;
    const now = new Date();
    const end =
      status === 'CANCELLING' ? { status: 'CANCELLED' as const, cancelledAt: now } : expiredAt ? { status: 'EXPIRED' as const } : { status: 'COMPLETED' as const, completedAt: now };
    const files = { outputFileId: output?.row.id ?? null, errorFileId: errors?.row.id ?? null };
    return this.db.inTenant(tenantId, async () => {
      if (!(await this.batches.change(id, [status], { ...end, ...files, failed: total - completed }))) return false;
      for (const { row, bytes } of [output, errors].filter((one) => one !== null)) await this.fileRows.complete(row.id, { bytes });
      await this.batches.removeLines(id);
      return true;
    });
  }
}

async function* inBytes(lines: AsyncGenerator<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) yield Buffer.from(`${line}\n`);
}
