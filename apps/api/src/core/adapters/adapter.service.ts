import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { CONFIG, type Config } from '../../base/config/config.js';
import { validInput } from '../../base/errors/validate.js';
import type { Page } from '../../base/graphql/connection.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { AdapterImportModel } from '../../models/adapter-import.model.js';
import { type AdapterFilter, AdapterModel, type AdapterOrder, type AdapterPosition, type AdapterRow, type NewSource } from '../../models/adapter.model.js';
import { DeploymentModel } from '../../models/deployment.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { TargetNames } from '../targets/target-names.js';
import { createAdapterSchema, type NewAdapter, updateAdapterSchema } from './adapter-input.js';
import { type Excess, excessOf, refuseExcess } from './adapter-room.js';
import { UploadFolder } from './uploads/upload-folder.js';

/** As many as wait or run at once: a tenant's imports must not keep all others' waiting. */
const OPEN_IMPORTS_MAX = 10;

/** What is said of an adapter that is to come. */
export type Description = Omit<NewAdapter, 'files'>;
type NewFiles = NewAdapter['files'];

interface Source extends NewSource {
  /** For the row that has just been made. */
  tokenFor: (adapterId: string) => Uint8Array<ArrayBuffer> | null;
}

@Injectable()
export class AdapterService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly imports: AdapterImportModel,
    private readonly deployments: DeploymentModel,
    private readonly baseModels: BaseModelService,
    private readonly names: TargetNames,
    private readonly uploads: UploadFolder,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws NOT_FOUND, also for other tenants' adapters. */
  async get(tenantId: string, id: string, field = 'id'): Promise<AdapterRow> {
    const row = isUuid(id) ? await this.database.inTenant(tenantId, () => this.adapters.find(id)) : null;
    if (!row) throw new ArilError('NOT_FOUND', `${field}: there is no such adapter`, field);
    return row;
  }

  findBySlug(tenantId: string, slug: string): Promise<AdapterRow | null> {
    return this.database.inTenant(tenantId, () => this.adapters.findBySlug(slug));
  }

  page(tenantId: string, filter: AdapterFilter, order: AdapterOrder, { first, after }: Page<AdapterPosition>): Promise<{ rows: AdapterRow[]; totalCount: number }> {
    return this.database.inTenant(tenantId, async () => ({
      rows: await this.adapters.page(filter, order, first, after),
      totalCount: await this.adapters.count(filter),
    }));
  }

  async storage(tenantId: string): Promise<{ bytesUsed: number; bytesMax: number }> {
    const used = await this.database.inTenant(tenantId, () => this.adapters.bytesUsed());
    return { bytesUsed: Number(used), bytesMax: this.config.TENANT_STORAGE_BYTES_MAX };
  }

  /** Makes room for an upload. */
  create(tenantId: string, input: unknown): Promise<AdapterRow> {
    const { files, ...given } = validInput(createAdapterSchema, input);
    return this.begin(tenantId, given, files);
  }

  /**
   * Makes a row that waits for its files. A slug whose adapter was refused, or whose upload has expired, is taken over: that is
   * how one tries again. A usable adapter, or an upload that may go on, is not replaced by accident. `source`: where the
   * files, which are not known yet, will be imported from.
   */
  async begin(tenantId: string, given: Description, files: NewFiles, source: Source | null = null): Promise<AdapterRow> {
    this.baseModels.require(given.baseModelId, 'baseModelId');
    refuseExcess(excessOf(bytesOf(files), 0, this.config));
    const { created, replaced } = await this.database.inTenant(tenantId, () => this.admit(given, files, source));
    for (const row of replaced) await this.uploads.removeOf(row);
    return created;
  }

  /** Makes room for the files of an import, once they are known. @returns what is too much; then nothing was changed. */
  announce(tenantId: string, id: string, files: { name: string; bytes: number; uploadId: string }[]): Promise<Excess | null> {
    return this.database.inTenant(tenantId, async () => {
      await this.names.lock();
      const row = await this.get(tenantId, id);
      if (row.files.length > 0) return null;
      const bytes = bytesOf(files);
      const excess = excessOf(bytes, Number(await this.adapters.bytesUsed()), this.config);
      if (excess) return excess;
      await this.adapters.update(id, { bytes: BigInt(bytes) });
      await this.adapters.addFiles(id, files.map((file) => ({ ...file, bytes: BigInt(file.bytes) })));
      return null;
    });
  }

  async update(tenantId: string, id: string, input: unknown): Promise<AdapterRow> {
    const { name, description } = validInput(updateAdapterSchema, input);
    return this.database.inTenant(tenantId, async () => {
      await this.names.lock();
      const before = await this.get(tenantId, id, 'adapterId');
      await this.adapters.update(id, { name: name ?? undefined, description: description ?? undefined });
      const row = await this.get(tenantId, id, 'adapterId');
      await this.audit.record('adapter.update', labelled(row), { before: wordsOf(before), after: wordsOf(row) });
      return row;
    });
  }

  /** The row stays for the ledger; the objects go once no generation admitted before now can need them. */
  async delete(tenantId: string, id: string): Promise<void> {
    const row = await this.get(tenantId, id, 'adapterId');
    const deleted = await this.database.inTenant(tenantId, async () => {
      await this.names.lock();
      await this.requireUnused(row);
      if (!(await this.remove(id))) return false;
      await this.audit.record('adapter.delete', labelled(row), { before: contentOf(row) });
      return true;
    });
    if (!deleted) throw new ArilError('NOT_FOUND', 'adapterId: there is no such adapter', 'adapterId');
    await this.uploads.removeOf(row);
  }

  /** An import of it ends with it. */
  private async remove(id: string): Promise<boolean> {
    await this.imports.end(id);
    return this.adapters.update(id, { deletedAt: new Date() });
  }

  /** A variant of weight 0 counts too: its weight is a number away from being more. */
  private async requireUnused({ id, slug }: AdapterRow): Promise<void> {
    const users = await this.deployments.slugsUsing(id);
    if (users.length === 0) return;
    const names = users.map((name) => `"${name}"`).join(', ');
    const what = users.length === 1 ? 'the deployment' : 'the deployments';
    throw new ArilError('CONFLICT', `adapterId: the adapter "${slug}" is a variant of ${what} ${names}; take it out there first`, 'adapterId');
  }

  /** One at a time per tenant, so that two cannot both take the last free bytes. */
  private async admit(given: Description, files: NewFiles, source: Source | null): Promise<{ created: AdapterRow; replaced: AdapterRow[] }> {
    await this.names.reserve(given.slug, 'adapter');
    const replaced = await this.dropAbandoned(given.slug);
    const bytes = bytesOf(files);
    refuseExcess(excessOf(bytes, Number(await this.adapters.bytesUsed()), this.config));
    if (source && (await this.imports.count()) >= OPEN_IMPORTS_MAX) {
      throw new ArilError('RATE_LIMITED', `source: ${OPEN_IMPORTS_MAX} imports are under way, expected fewer; wait for one of them or delete its adapter`, 'source');
    }
    const { slug, baseModelId } = given;
    const { tokenFor, ...origin } = source ?? {};
    const created = await this.adapters.create(
      { slug, name: given.name ?? slug, description: given.description ?? '', baseModelId, bytes: BigInt(bytes), ...origin },
      files.map((file) => ({ name: file.name, bytes: BigInt(file.bytes) })),
    );
    if (tokenFor) await this.imports.create(created.id, tokenFor(created.id));
    await this.audit.record('adapter.create', labelled(created), { after: contentOf(created) });
    return { created, replaced };
  }

  /** Rows that stand in the way: the slug's unusable one, and uploads that expired unfinished. */
  private async dropAbandoned(slug: string): Promise<AdapterRow[]> {
    const same = await this.adapters.findBySlug(slug);
    const dropped = same?.status === 'REFUSED' ? [same] : [];
    for (const row of await this.adapters.all('UPLOADING')) {
      if (await this.isAbandoned(row)) dropped.push(row);
    }
    if (same && !dropped.some((row) => row.id === same.id)) throw slugTaken(same);
    for (const row of dropped) {
      await this.remove(row.id);
      await this.audit.record('adapter.discard', labelled(row), { before: contentOf(row) });
    }
    return dropped;
  }

  private async isAbandoned(row: AdapterRow): Promise<boolean> {
    return Date.now() - (await this.uploads.lastTouchedMs(row)) > this.config.UPLOAD_EXPIRY_S * 1000;
  }
}

const bytesOf = (files: readonly { bytes: number }[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

const labelled = ({ id, slug }: AdapterRow) => ({ id, label: slug });

const wordsOf = ({ name, description }: AdapterRow) => ({ name, description });

const contentOf = (row: AdapterRow) => ({
  slug: row.slug,
  ...wordsOf(row),
  baseModelId: row.baseModelId,
  bytes: Number(row.bytes),
  status: row.status,
  sha256: row.status === 'READY' ? row.sha256 : null,
  ...(row.sourceRepository !== null && { repository: row.sourceRepository, revision: row.sourceRevision, path: row.sourcePath, commit: row.sourceCommit }),
});

/** Names the unfinished adapter, as a program whose answer was lost knows only the slug. */
function slugTaken({ id, slug, sourceRepository }: AdapterRow): ArilError {
  const [what, way] = sourceRepository !== null ? ['import', 'wait for'] : ['upload', 'continue'];
  return new ArilError('CONFLICT', `slug: the ${what} of "${slug}" is not finished; ${way} it (adapter ${id}), delete it, or choose another name`, 'slug');
}
