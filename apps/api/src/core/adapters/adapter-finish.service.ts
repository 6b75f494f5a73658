/**
 * From two files, uploaded or imported, to a usable adapter, or a refused one.
 *
 * Every step can be repeated and none needs a lock on the whole: hashing and inspecting only read, objects are put
 * under their content's hash, and the row leaves UPLOADING in one statement that only one call can win. So two calls
 * at once, or one after a crash half way, end in the same state.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { ObjectStore } from '@aril/object-store';
import { type AdapterProblem, type AdapterReport, inspectAdapter } from '@aril/sgmv-native/inspect';
import { createReadStream } from 'node:fs';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../integrations/object-storage/object-storage.module.js';
import { AdapterImportModel } from '../../models/adapter-import.model.js';
import { AdapterModel, type AdapterRow } from '../../models/adapter.model.js';
import type { AuditFields } from '../audit/audit-event.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { ADAPTER_FILES, adapterSha256, fileSha256, objectKey, type FileHashes } from './adapter-content.js';
import { contentLock } from './adapter-purge.js';
import { AdapterService } from './adapter.service.js';
import { UploadMetrics } from './upload-metrics.js';
import { UploadFolder, type UploadedFiles } from './uploads/upload-folder.js';

/** A file with thousands of bad tensors needs no thousands of sentences. */
const PROBLEMS_MAX = 100;

@Injectable()
export class AdapterFinishService {
  private readonly running = new Map<string, Promise<AdapterRow>>();

  constructor(
    private readonly adapters: AdapterModel,
    private readonly imports: AdapterImportModel,
    private readonly service: AdapterService,
    private readonly baseModels: BaseModelService,
    private readonly database: TenantDatabase,
    private readonly uploads: UploadFolder,
    private readonly audit: AuditTrail,
    private readonly metrics: UploadMetrics,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  /** @throws NOT_FOUND, ADAPTER_NOT_READY while bytes are missing. A refusal is an answer, not an error. */
  async finish(tenantId: string, adapterId: string): Promise<AdapterRow> {
    const row = await this.service.get(tenantId, adapterId, 'adapterId');
    if (row.status === 'UPLOADING' && row.sourceRepository !== null) {
      throw new ArilError('CONFLICT', 'adapterId: the adapter is being imported, and is finished when that is', 'adapterId');
    }
    return this.finishRow(row);
  }

  /** Likewise, for one whose files are there. */
  async finishRow(row: AdapterRow): Promise<AdapterRow> {
    if (row.status !== 'UPLOADING') return row;
    // Calls in this process share the work; calls in others repeat it, which is harmless.
    const current = this.running.get(row.id) ?? this.settle(row).finally(() => this.running.delete(row.id));
    this.running.set(row.id, current);
    return current;
  }

  /** For an import that came to nothing. */
  async giveUp(row: AdapterRow, problem: AdapterProblem): Promise<void> {
    await this.refuse(row, { problems: [problem], summary: null });
    await this.uploads.removeOf(row);
  }

  private async settle(row: AdapterRow): Promise<AdapterRow> {
    try {
      const files = await this.uploads.complete(row);
      const report = await this.inspect(row, files);
      if (report.ok) await this.accept(row, files, report);
      else await this.refuse(row, report);
    } catch (error) {
      // Another process may have finished, and removed the files under our hands.
      const now = await this.service.get(row.tenantId, row.id, 'adapterId');
      if (now.status === 'UPLOADING') throw error;
    }
    await this.uploads.removeOf(row);
    return this.service.get(row.tenantId, row.id, 'adapterId');
  }

  private async inspect(row: AdapterRow, files: UploadedFiles): Promise<AdapterReport> {
    const model = this.baseModels.require(row.baseModelId, 'baseModelId');
    return this.uploads.asFolder(files, (folder) => inspectAdapter(folder, model.configPath));
  }

  private async refuse(row: AdapterRow, { problems, summary }: Omit<AdapterReport, 'ok'>): Promise<void> {
    const data = { status: 'REFUSED' as const, problems: toJson(problems.slice(0, PROBLEMS_MAX)), summary: toJson(summary) ?? undefined };
    await this.leaveUploading(row, data, { status: data.status, problems: problems.length });
  }

  private async accept(row: AdapterRow, files: UploadedFiles, { summary }: AdapterReport): Promise<void> {
    const hashes = {} as FileHashes;
    for (const name of ADAPTER_FILES) hashes[name] = await fileSha256(files[name]);
    const sha256 = adapterSha256(hashes);
    await this.stage(row, hashes, sha256);
    const data = { status: 'READY' as const, problems: [], summary: toJson(summary) ?? undefined };
    try {
      for (const name of ADAPTER_FILES) {
        await this.objects.put(objectKey(row.tenantId, sha256, name), createReadStream(files[name]), { sha256: hashes[name] });
      }
      await this.leaveUploading(row, data, { status: data.status, sha256 });
    } finally {
      // If it was deleted meanwhile, it may have been purged before these objects were there.
      await this.database.inTenant(row.tenantId, () => this.adapters.setPurged(row.id, null));
    }
  }

  /** Of calls at once, one is the first: it alone is recorded. */
  private async leaveUploading(row: AdapterRow, data: Parameters<AdapterModel['settle']>[1], after: AuditFields): Promise<void> {
    const imported = row.sourceRepository !== null;
    const first = await this.database.inTenant(row.tenantId, async () => {
      if (!(await this.adapters.settle(row.id, data))) return false;
      await this.imports.end(row.id);
      const action = imported ? 'adapter.finishImport' : 'adapter.finishUpload';
      await this.audit.record(action, { id: row.id, label: row.slug }, { before: { status: row.status }, after: { ...after, commit: row.sourceCommit ?? undefined } });
      return true;
    });
    if (first && !imported) this.metrics.note(data.status === 'READY' ? 'ready' : 'refused', row.files);
  }

  /** Noted before the objects are put: from here on a purge of equal content leaves them alone, and knows their keys. */
  private async stage(row: AdapterRow, hashes: FileHashes, sha256: string): Promise<void> {
    await this.database.inTenant(row.tenantId, async () => {
      await this.database.lock(contentLock(sha256));
      const open = await this.adapters.settle(row.id, { sha256 });
      if (!open) throw new ArilError('CONFLICT', 'adapterId: the adapter was finished or deleted meanwhile', 'adapterId');
      for (const { name, bytes } of row.files) {
        const file = name as keyof FileHashes;
        const data = { sha256: hashes[file], objectKey: objectKey(row.tenantId, sha256, file), received: bytes };
        await this.adapters.updateFile(row.id, name, data);
      }
    });
  }
}

/** Prisma takes plain JSON values; the report's interfaces are that, which TypeScript cannot see. */
function toJson<T>(value: T): object[] & object {
  return value as object[] & object;
}
