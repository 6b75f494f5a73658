import { Inject, Injectable, Logger } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { validInput } from '../../../base/errors/validate.js';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { HubService } from '../../../integrations/hub/hub.service.js';
import { AdapterImportModel } from '../../../models/adapter-import.model.js';
import type { AdapterRow } from '../../../models/adapter.model.js';
import { AdapterService } from '../adapter.service.js';
import { DEFAULT_REVISION, importAdapterSchema } from './import-input.js';
import { sealToken } from './import-token.js';
import { ImportWorker } from './import.worker.js';

@Injectable()
export class AdapterImportService {
  private readonly logger = new Logger(AdapterImportService.name);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterService,
    private readonly imports: AdapterImportModel,
    private readonly worker: ImportWorker,
    private readonly hub: HubService,
  ) {}

  /** Begins an import; whether it can be had is found out by its job. */
  async start(tenantId: string, input: unknown): Promise<AdapterRow> {
    if (this.hub.url === null) throw new ArilError('FORBIDDEN', 'Imports are switched off here: HUB_URL is empty. Upload the files instead.');
    const { source, token, ...given } = validInput(importAdapterSchema, input);
    const { AUTH_SECRET } = this.config;
    const row = await this.adapters.begin(tenantId, given, [], {
      sourceRepository: source.repository,
      sourceRevision: source.revision ?? DEFAULT_REVISION,
      sourcePath: source.path ?? '',
      tokenFor: (adapterId) => (token ? sealToken(AUTH_SECRET, adapterId, token) : null),
    });
    // The row is what counts: without its job it is found by a later look.
    await this.worker.add({ tenantId, id: row.id }).catch((error: unknown) => this.logger.warn({ adapterId: row.id, err: error }, 'an import waits for its job'));
    return row;
  }

  /** Why an import under way does not get on at the moment; null: it does. */
  async waitsFor({ tenantId, id, status }: AdapterRow): Promise<string | null> {
    if (status !== 'UPLOADING') return null;
    return (await this.database.inTenant(tenantId, () => this.imports.find(id)))?.waitsFor ?? null;
  }
}
