/**
 * Does what an import's job asks for, and can begin in the middle: what came is on the disk that all copies of the API share,
 * which commit it is of is in the adapter's row, and the rest is as for uploads.
 */
import { join } from 'node:path';
import { setInterval as every } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { HubError, unreachable } from '../../../integrations/hub/hub-error.js';
import { type HubRepository, HubService } from '../../../integrations/hub/hub.service.js';
import { AdapterImportModel, type AdapterImportRow } from '../../../models/adapter-import.model.js';
import { type AdapterKey, AdapterModel, type AdapterRow } from '../../../models/adapter.model.js';
import { ADAPTER_FILES } from '../adapter-content.js';
import { AdapterFinishService } from '../adapter-finish.service.js';
import { AdapterService } from '../adapter.service.js';
import { newUploadId } from '../uploads/upload-id.js';
import { UploadFolder } from '../uploads/upload-folder.js';
import { fetchFile } from './file-fetch.js';
import { ImportMetrics } from './import-metrics.js';
import { type ImportPlan, planImport } from './import-plan.js';
import { ImportRefusal, isPassing, problemOf } from './import-problem.js';
import { openToken } from './import-token.js';

/** How soon a fetch ends whose adapter was deleted. */
const LOOK_EVERY_MS = 500;
/** A line this slow gives its place to others for a while. */
const ATTEMPT_MS_MAX = 1_800_000;
/** An attempt that brought this much is none that failed. */
const GOT_ON_BYTES = 1024 * 1024;

interface Import {
  row: AdapterRow;
  state: AdapterImportRow;
}

@Injectable()
export class AdapterImporter {
  private readonly logger = new Logger(AdapterImporter.name);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly imports: AdapterImportModel,
    private readonly service: AdapterService,
    private readonly finisher: AdapterFinishService,
    private readonly uploads: UploadFolder,
    private readonly hub: HubService,
    private readonly metrics: ImportMetrics,
  ) {}

  /** @returns in how many milliseconds it is to go on; null: it has ended. `closing` aborts when this process has to end. */
  async run(key: AdapterKey, closing: AbortSignal): Promise<number | null> {
    const found = await this.find(key);
    if (!found) return null;
    const received = await this.received(found.row);
    const gone = new AbortController();
    const watching = new AbortController();
    const late = AbortSignal.timeout(ATTEMPT_MS_MAX);
    void this.watch(key, gone, watching.signal);
    try {
      await this.bring(found, AbortSignal.any([gone.signal, closing, late]));
      return null;
    } catch (error) {
      if (closing.aborted) return 0;
      return await this.failed(key, received, late.aborted ? unreachable('too few bytes in half an hour') : error);
    } finally {
      watching.abort();
    }
  }

  private async bring({ row, state }: Import, signal: AbortSignal): Promise<void> {
    const hub = await this.hub.open(String(row.sourceRepository), this.tokenOf(state), signal);
    const commit = row.sourceCommit ?? (await this.settleCommit(row, hub));
    const plan = await planImport(hub, commit, row.sourcePath ?? '');
    const files = await this.announced(row, plan);
    for (const name of ADAPTER_FILES) {
      const uploadId = files.find((file) => file.name === name)?.uploadId;
      await fetchFile(hub, plan[name], join(this.uploads.path, String(uploadId)), signal);
    }
    const { status } = await this.finisher.finishRow(await this.service.get(row.tenantId, row.id));
    this.metrics.note(status === 'READY' ? 'ready' : 'refused');
  }

  private tokenOf({ adapterId, sealedToken }: AdapterImportRow): string | null {
    if (sealedToken === null) return null;
    const token = openToken(this.config.AUTH_SECRET, adapterId, sealedToken);
    if (token === null) throw new ImportRefusal('hub_token_refused', 'a token that cannot be read any more', 'it to be given again');
    return token;
  }

  /** Of two processes at once one says which commit it is. */
  private async settleCommit(row: AdapterRow, hub: HubRepository): Promise<string> {
    const found = await hub.commitOf(row.sourceRevision ?? '');
    return this.database.inTenant(row.tenantId, async () => {
      await this.database.lock(`adapter-import:${row.id}`);
      const { sourceCommit } = await this.service.get(row.tenantId, row.id);
      if (sourceCommit === null) await this.adapters.settle(row.id, { sourceCommit: found });
      return sourceCommit ?? found;
    });
  }

  /** The files' rows, made once. */
  private async announced({ id, tenantId }: AdapterRow, plan: ImportPlan): Promise<AdapterRow['files']> {
    const sizes = ADAPTER_FILES.map((name) => ({ name, bytes: plan[name].bytes, uploadId: newUploadId({ adapterId: id, file: name }) }));
    const excess = await this.service.announce(tenantId, id, sizes);
    if (excess) throw new ImportRefusal(excess.code.toLowerCase(), excess.found, excess.expected);
    return (await this.service.get(tenantId, id)).files;
  }

  private async failed(key: AdapterKey, before: number, error: unknown): Promise<number | null> {
    const found = await this.find(key);
    if (!found) return null;
    const { row, state } = found;
    const problem = problemOf(error, String(row.sourceRepository));
    const gotOn = (await this.received(row)) - before >= GOT_ON_BYTES;
    const failures = gotOn ? 1 : state.failures + 1;
    const pauseS = this.config.HUB_RETRY_S[failures - 1];
    const level = error instanceof HubError || error instanceof ImportRefusal ? 'log' : 'error';
    this.logger[level]({ adapterId: row.id, code: problem.code, failures, ...(level === 'error' && { err: error }) }, 'an attempt to import failed');
    if (!isPassing(error) || pauseS === undefined) {
      await this.finisher.giveUp(row, problem);
      this.metrics.note('failed');
      return null;
    }
    await this.database.inTenant(row.tenantId, () => this.imports.update(row.id, { failures, waitsFor: problem.message }));
    this.metrics.note('postponed');
    return Math.max(pauseS * 1_000, error instanceof HubError ? error.retryAfterMs : 0);
  }

  /** null: there is nothing left to do. What a deleted one left on the disk after its delete goes too. */
  private async find({ tenantId, id }: AdapterKey): Promise<Import | null> {
    return this.database.inTenant(tenantId, async () => {
      const [row, state] = [await this.adapters.findEver(id), await this.imports.find(id)];
      if (row && state && row.deletedAt === null && row.status === 'UPLOADING') return { row, state };
      // Also of an adapter that a process deleted which knows no imports: one of an earlier release.
      if (row) await this.uploads.removeOf(row);
      if (state) await this.imports.end(id);
      return null;
    });
  }

  private async watch(key: AdapterKey, gone: AbortController, signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of every(LOOK_EVERY_MS, null, { signal, ref: false })) {
        const there = await this.database.inTenant(key.tenantId, () => this.imports.find(key.id)).catch(() => true);
        if (!there) return gone.abort(new Error('the import has ended'));
      }
    } catch {
      // Nothing to watch any more.
    }
  }

  private async received(row: AdapterRow): Promise<number> {
    return (await this.uploads.progress(row)).reduce((sum, file) => sum + file.received, 0);
  }
}
