/** Who may create, continue and abort which upload. Other tenants' uploads do not exist. */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { z } from 'zod';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { validInput } from '../../../base/errors/validate.js';
import { AdapterModel } from '../../../models/adapter.model.js';
import { ADAPTER_FILES } from '../adapter-content.js';
import { parseUploadId, type UploadTarget } from './upload-id.js';
import { UploadFolder } from './upload-folder.js';

const metadataSchema = z.object({
  adapterId: z.uuid('expected the id that createAdapter answered'),
  filename: z.enum(ADAPTER_FILES, `expected one of: ${ADAPTER_FILES.join(', ')}`),
});

@Injectable()
export class UploadAccess {
  constructor(
    private readonly database: TenantDatabase,
    private readonly adapters: AdapterModel,
    private readonly folder: UploadFolder,
  ) {}

  /** What the metadata of a new upload says it is for. */
  target(metadata: Record<string, string | null> | undefined): UploadTarget {
    const { adapterId, filename } = validInput(metadataSchema, metadata ?? {});
    return { adapterId: adapterId.toLowerCase(), file: filename };
  }

  /** Makes `uploadId` the one upload of its file; an earlier one is dropped. */
  async begin(tenantId: string, uploadId: string, bytes: number | undefined): Promise<void> {
    const { adapterId, file: name } = this.parse(uploadId);
    const earlier = await this.database.inTenant(tenantId, async () => {
      const adapter = await this.adapters.find(adapterId);
      if (!adapter) throw new ArilError('NOT_FOUND', 'adapterId: there is no such adapter', 'adapterId');
      if (adapter.status !== 'UPLOADING') {
        throw new ArilError('CONFLICT', `adapterId: the adapter is ${adapter.status}, expected UPLOADING; create it again to replace it`, 'adapterId');
      }
      if (adapter.sourceRepository !== null) throw new ArilError('CONFLICT', 'adapterId: the adapter is being imported, expected one that is uploaded', 'adapterId');
      const file = adapter.files.find((one) => one.name === name);
      if (bytes === undefined || BigInt(bytes) !== file?.bytes) {
        throw new ArilError('BAD_INPUT', `Upload-Length: found ${bytes ?? 'none'}, expected the ${file?.bytes} bytes that createAdapter was told`, 'Upload-Length');
      }
      await this.adapters.updateFile(adapterId, name, { uploadId });
      return file.uploadId;
    });
    if (earlier) await this.folder.remove(earlier);
  }

  /** @throws NOT_FOUND unless `uploadId` is the current upload of one of the tenant's adapters. */
  async check(tenantId: string, uploadId: string): Promise<void> {
    const { adapterId, file: name } = this.parse(uploadId);
    const adapter = await this.database.inTenant(tenantId, () => this.adapters.find(adapterId));
    const file = adapter?.files.find((one) => one.name === name);
    if (file?.uploadId !== uploadId) throw noSuchUpload();
  }

  private parse(uploadId: string): UploadTarget {
    const target = parseUploadId(uploadId);
    if (!target) throw noSuchUpload();
    return target;
  }
}

const noSuchUpload = (): ArilError => new ArilError('NOT_FOUND', 'There is no such upload.');
