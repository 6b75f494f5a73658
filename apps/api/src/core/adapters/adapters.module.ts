import { Module } from '@nestjs/common';
import { HubModule } from '../../integrations/hub/hub.module.js';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { TargetsModule } from '../targets/targets.module.js';
import { AdapterFinishService } from './adapter-finish.service.js';
import { AdapterPurge } from './adapter-purge.js';
import { AdapterResolver } from './adapter.resolver.js';
import { AdapterService } from './adapter.service.js';
import { AdapterImportService } from './imports/adapter-import.service.js';
import { AdapterImporter } from './imports/adapter-importer.js';
import { ImportMetrics } from './imports/import-metrics.js';
import { ImportResolver } from './imports/import.resolver.js';
import { ImportWorker } from './imports/import.worker.js';
import { TenantAdaptersResolver } from './tenant-adapters.resolver.js';
import { UploadMetrics } from './upload-metrics.js';
import { UploadAccess } from './uploads/upload-access.js';
import { UploadCleaner } from './uploads/upload-cleaner.js';
import { UploadController } from './uploads/upload.controller.js';
import { UploadFolder } from './uploads/upload-folder.js';
import { UploadLocker } from './uploads/upload-locker.js';

@Module({
  imports: [BaseModelsModule, HubModule, TargetsModule],
  controllers: [UploadController],
  providers: [
    AdapterService,
    AdapterFinishService,
    AdapterImporter,
    AdapterImportService,
    AdapterPurge,
    AdapterResolver,
    ImportMetrics,
    ImportResolver,
    ImportWorker,
    TenantAdaptersResolver,
    UploadAccess,
    UploadCleaner,
    UploadFolder,
    UploadLocker,
    UploadMetrics,
  ],
  exports: [AdapterService, AdapterFinishService, UploadAccess, UploadFolder],
})
export class AdaptersModule {}
