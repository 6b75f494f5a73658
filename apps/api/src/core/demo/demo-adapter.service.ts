import { Injectable } from '@nestjs/common';
import { Upload } from '@tus/server';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ADAPTER_FILES } from '../adapters/adapter-content.js';
import { AdapterFinishService } from '../adapters/adapter-finish.service.js';
import { AdapterService } from '../adapters/adapter.service.js';
import { UploadAccess } from '../adapters/uploads/upload-access.js';
import { UploadFolder } from '../adapters/uploads/upload-folder.js';
import { newUploadId } from '../adapters/uploads/upload-id.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import type { DemoAdapter } from './demo-tenants.js';

/** Brings a folder's adapter the way an upload does: declared, received, checked. */
@Injectable()
export class DemoAdapterService {
  constructor(
    private readonly adapters: AdapterService,
    private readonly finisher: AdapterFinishService,
    private readonly access: UploadAccess,
    private readonly folder: UploadFolder,
    private readonly baseModels: BaseModelService,
  ) {}

  async ensure(tenantId: string, demo: DemoAdapter, folder: string): Promise<void> {
    const existing = await this.adapters.findBySlug(tenantId, demo.slug);
    if (existing?.status === 'READY') return;
    // What a seed that was cut off began.
    if (existing?.status === 'UPLOADING') await this.adapters.delete(tenantId, existing.id);
    const files = await Promise.all(
      ADAPTER_FILES.map(async (name) => ({ name, path: join(folder, name), bytes: (await stat(join(folder, name))).size })),
    );
    const [model] = this.baseModels.list();
    const row = await this.adapters.create(tenantId, { ...demo, baseModelId: model?.id, files });
    for (const { name, path, bytes } of files) {
      const id = newUploadId({ adapterId: row.id, file: name });
      await this.access.begin(tenantId, id, bytes);
      await this.folder.store.create(new Upload({ id, size: bytes, offset: 0 }));
      await this.folder.store.write(createReadStream(path), id, 0);
    }
    const { status, problems } = await this.finisher.finish(tenantId, row.id);
    if (status !== 'READY') throw new Error(`the demo adapter ${demo.slug} was refused: ${JSON.stringify(problems)}`);
  }
}
