/** Files of batches: brought in, listed, read and deleted. The object is under the row's id, which is there first. */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { ObjectStore } from '@aril/object-store';
import type { Request } from 'express';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Caller } from '../../../base/auth/caller.js';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { validInput } from '../../../base/errors/validate.js';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../../integrations/object-storage/object-storage.module.js';
import { BatchFileModel, type BatchFileKey, type BatchFileRow } from '../../../models/batch-file.model.js';
import { AuditTrail } from '../../audit/audit-trail.js';
import { fileId, noSuchFile, uuidOfFile } from '../batch-id.js';
import { maySee, onlyOfKey } from '../batch.policy.js';
import { readForm } from './form-upload.js';

/** OpenAI's bounds. */
const EXPIRY_S_MIN = 3_600;
const EXPIRY_S_MAX = 2_592_000;
const FILENAME_CHARS_MAX = 255;

const formSchema = z.object({
  purpose: z.literal('batch', 'expected "batch": other files are not taken here'),
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z.coerce.number().int().min(EXPIRY_S_MIN).max(EXPIRY_S_MAX).optional(),
});

const listSchema = z.object({
  purpose: z.string().optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
  after: z.string().optional(),
});

export const objectKey = ({ tenantId, id }: BatchFileKey): string => `batch-files/${tenantId}/${id}`;
/** Whoever begins to read a file, or removes it, holds it. */
export const fileLock = (id: string): string => `batch-file:${id}`;

@Injectable()
export class BatchFileService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly files: BatchFileModel,
    private readonly audit: AuditTrail,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  async upload(caller: Caller, request: Request): Promise<BatchFileRow> {
    let begun: BatchFileRow | null = null;
    try {
      const { fields, taken } = await readForm(request, this.config.BATCH_FILE_BYTES_MAX, async (filename, bytes) => {
        begun = await this.begin(caller, filename);
        return { row: begun, ...(await this.put(begun, bytes)) };
      });
      const form = validInput(formSchema, Object.fromEntries(fields));
      if (!taken) throw new ArilError('BAD_INPUT', 'file: found none, expected a file', 'file');
      return await this.accept(taken.row, taken.bytes, form['expires_after[seconds]']);
    } catch (error) {
      if (begun) await this.discard(begun);
      throw error;
    }
  }

  /** A row whose object is to come, to be put by the caller and then completed or discarded. */
  begin({ tenantId, apiKeyId }: Pick<Caller, 'tenantId' | 'apiKeyId'>, filename: string, purpose = 'batch'): Promise<BatchFileRow> {
    const expiresAt = new Date(Date.now() + this.config.BATCH_FILE_EXPIRY_S * 1_000);
    const name = (filename || 'file.jsonl').replaceAll('\0', '').slice(0, FILENAME_CHARS_MAX);
    return this.db.inTenant(tenantId, () => this.files.create({ apiKeyId, filename: name, purpose, expiresAt }));
  }

  put(row: BatchFileRow, bytes: Readable): Promise<{ bytes: number }> {
    return this.objects.put(objectKey(row), bytes);
  }

  /** Its object goes with the next sweep, which also finds those whose process has died before it came here. */
  async discard({ tenantId, id }: BatchFileKey): Promise<void> {
    await this.db.inTenant(tenantId, () => this.files.remove(id));
  }

  async list(caller: Caller, query: object): Promise<{ rows: BatchFileRow[]; hasMore: boolean }> {
    const { purpose = null, order, limit, after } = validInput(listSchema, query);
    const rows = await this.db.inTenant(caller.tenantId, async () => {
      const last = after ? await this.visible(caller, after, 'after') : null;
      return this.files.page({ purpose, apiKeyId: onlyOfKey(caller) }, order, limit, last);
    });
    return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
  }

  find(caller: Caller, id: string, field = 'file_id'): Promise<BatchFileRow> {
    return this.db.inTenant(caller.tenantId, () => this.visible(caller, id, field));
  }

  read(row: BatchFileRow): Promise<Readable> {
    return this.objects.get(objectKey(row));
  }

  async delete(caller: Caller, id: string): Promise<BatchFileRow> {
    return this.db.inTenant(caller.tenantId, async () => {
      const row = await this.visible(caller, id, 'file_id');
      await this.db.lock(fileLock(row.id));
      if (await this.files.isInput(row.id)) throw new ArilError('CONFLICT', 'file_id: a batch reads the file; cancel it first, or wait for its end', 'file_id');
      await this.files.remove(row.id);
      await this.audit.record('batchFile.delete', labelled(row), { before: { bytes: row.bytes, purpose: row.purpose } });
      return row;
    });
  }

  private accept(row: BatchFileRow, bytes: number, expiryS: number | undefined): Promise<BatchFileRow> {
    return this.db.inTenant(row.tenantId, async () => {
      await this.db.lock('batch-files');
      const [used, { TENANT_BATCH_BYTES_MAX: max }] = [await this.files.bytesUsed(), this.config];
      if (used + BigInt(bytes) > max) throw new ArilError('QUOTA_EXCEEDED', `file: ${bytes} bytes beside the ${used} of this workspace's other files of batches, expected at most ${max} in all: delete some`, 'file');
      const expiresAt = expiryS === undefined ? row.expiresAt : new Date(row.createdAt.getTime() + expiryS * 1_000);
      const ready = await this.files.complete(row.id, { bytes: BigInt(bytes), expiresAt });
      if (!ready) throw new ArilError('CONFLICT', 'file: it took too long to come', 'file');
      await this.audit.record('batchFile.create', labelled(ready), { after: { bytes: ready.bytes, expiresAt } });
      return ready;
    });
  }

  private async visible(caller: Caller, id: string, field: string): Promise<BatchFileRow> {
    const uuid = uuidOfFile(id);
    const row = uuid && (await this.files.find(uuid));
    return row && maySee(caller, row) ? row : noSuchFile(id, field);
  }
}

const labelled = ({ id, filename }: BatchFileRow) => ({ id, label: filename || fileId(id) });
