/** Batches as their callers see them: begun, listed, cancelled. Running them is `BatchRunner`'s. */
import { Injectable } from '@nestjs/common';
import { ArilError, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import type { Caller } from '../../base/auth/caller.js';
import { validInput } from '../../base/errors/validate.js';
import type { Page } from '../../base/graphql/connection.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { BatchFileModel } from '../../models/batch-file.model.js';
import { BatchModel, OPEN_BATCHES, type BatchRow } from '../../models/batch.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { ENDPOINTS } from '../openai/endpoints.js';
import { batchId, noSuchBatch, noSuchFile, uuidOfBatch, uuidOfFile } from './batch-id.js';
import { maySee, onlyOfKey } from './batch.policy.js';
import { fileLock } from './files/batch-file.service.js';
import { isBatchEndpoint } from './run/batch-request.js';
import { BatchWorker } from './run/batch-worker.js';

const WINDOW_MS = 24 * 60 * 60 * 1_000;
/** Of one tenant. */
const OPEN_MAX = 50;
/** OpenAI's bounds. */
const METADATA_MAX = 16;

const metadata = z
  .record(textWithoutNul.max(64), textWithoutNul.max(512))
  .refine((pairs) => Object.keys(pairs).length <= METADATA_MAX, `expected at most ${METADATA_MAX} pairs`);

const newBatchSchema = z.object({
  input_file_id: z.string(),
  endpoint: z.string().refine(isBatchEndpoint, `expected one of ${Object.keys(ENDPOINTS).join(', ')}`),
  completion_window: z.literal('24h', 'expected "24h"'),
  metadata: metadata.nullish(),
});

@Injectable()
export class BatchService {
  constructor(
    private readonly db: TenantDatabase,
    private readonly batches: BatchModel,
    private readonly files: BatchFileModel,
    private readonly audit: AuditTrail,
    private readonly worker: BatchWorker,
  ) {}

  /** `input`: as OpenAI's endpoint takes it. */
  async create(caller: Caller, input: unknown): Promise<BatchRow> {
    const { input_file_id: inputId, endpoint, metadata: pairs } = validInput(newBatchSchema, input);
    const batch = await this.db.inTenant(caller.tenantId, async () => {
      const uuid = uuidOfFile(inputId) ?? noSuchFile(inputId, 'input_file_id');
      await this.db.lock(fileLock(uuid));
      const file = await this.files.find(uuid);
      if (!file || !maySee(caller, file)) return noSuchFile(inputId, 'input_file_id');
      if (file.purpose !== 'batch') throw new ArilError('BAD_INPUT', 'input_file_id: expected a file with the purpose "batch", found an output of one', 'input_file_id');
      await this.db.lock('batches');
      const open = await this.batches.countIn(OPEN_BATCHES);
      if (open >= OPEN_MAX) throw new ArilError('RATE_LIMITED', `${open} batches of this workspace are open, expected fewer than ${OPEN_MAX}. Try again when one of them has ended.`);
      const { userId, apiKeyId } = caller;
      const expiresAt = new Date(Date.now() + WINDOW_MS);
      const row = await this.batches.create({ userId, apiKeyId, endpoint, inputFileId: uuid, metadata: pairs ?? null, expiresAt });
      await this.audit.record('batch.create', labelled(row), { after: { endpoint, inputFile: file.filename } });
      return row;
    });
    this.worker.wake(batch);
    return batch;
  }

  async find(caller: Caller, id: string): Promise<BatchRow> {
    return this.db.inTenant(caller.tenantId, () => this.visible(caller, id, 'batch_id'));
  }

  /** After the batch with the id `after`, as OpenAI pages. */
  async list(caller: Caller, limit: number, after: string | null): Promise<BatchRow[]> {
    return this.db.inTenant(caller.tenantId, async () => {
      const last = after === null ? null : await this.visible(caller, after, 'after');
      return this.batches.page(onlyOfKey(caller), limit, last);
    });
  }

  async page(caller: Caller, { first, after }: Page): Promise<{ rows: BatchRow[]; totalCount: number }> {
    const key = onlyOfKey(caller);
    return this.db.inTenant(caller.tenantId, async () => ({ rows: await this.batches.page(key, first, after), totalCount: await this.batches.count(key) }));
  }

  async inputName({ tenantId, inputFileId }: BatchRow): Promise<string | null> {
    return (await this.db.inTenant(tenantId, () => this.files.find(inputFileId)))?.filename ?? null;
  }

  /** What is cancelled already stays as it is; what has ended otherwise, or is being written, cannot be cancelled. */
  async cancel(caller: Caller, id: string): Promise<BatchRow> {
    const batch = await this.db.inTenant(caller.tenantId, async () => {
      const row = await this.visible(caller, id, 'batch_id');
      if (row.status === 'CANCELLING' || row.status === 'CANCELLED') return row;
      const changed = await this.batches.change(row.id, ['VALIDATING', 'IN_PROGRESS'], { status: 'CANCELLING', cancellingAt: new Date() });
      if (!changed) throw new ArilError('CONFLICT', `batch_id: a batch with the status "${row.status.toLowerCase()}" cannot be cancelled`, 'batch_id');
      await this.audit.record('batch.cancel', labelled(row), { before: { status: row.status }, after: { status: changed.status } });
      return changed;
    });
    this.worker.wake(batch);
    return batch;
  }

  private async visible(caller: Caller, id: string, field: string): Promise<BatchRow> {
    const uuid = uuidOfBatch(id);
    const row = uuid && (await this.batches.find(uuid));
    return row && maySee(caller, row) ? row : noSuchBatch(id, field);
  }
}

const labelled = ({ id }: BatchRow) => ({ id, label: batchId(id) });
