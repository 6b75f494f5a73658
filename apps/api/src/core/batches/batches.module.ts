import { Module } from '@nestjs/common';
import { GenerationsModule } from '../generations/generations.module.js';
import { OpenAiModule } from '../openai/openai.module.js';
import { BatchResolver } from './batch.resolver.js';
import { BatchService } from './batch.service.js';
import { BatchesController } from './batches.controller.js';
import { BatchFilePurge } from './files/batch-file-purge.js';
import { BatchFileService } from './files/batch-file.service.js';
import { BrowserFilesController } from './files/browser-files.controller.js';
import { FilesController } from './files/files.controller.js';
import { BackgroundWork } from './run/background-work.js';
import { BatchFeeder } from './run/batch-feeder.js';
import { BatchMetrics } from './run/batch-metrics.js';
import { BatchRunner } from './run/batch-runner.js';
import { BatchValidator } from './run/batch-validator.js';
import { BatchWorker } from './run/batch-worker.js';
import { BatchWriter } from './run/batch-writer.js';
import { LineRunner } from './run/line-runner.js';
import { TenantBatchesResolver } from './tenant-batches.resolver.js';

@Module({
  imports: [GenerationsModule, OpenAiModule],
  controllers: [FilesController, BatchesController, BrowserFilesController],
  providers: [BatchFileService, BatchFilePurge, BatchService, BatchWorker, BatchRunner, BatchMetrics, BackgroundWork, BatchValidator, BatchFeeder, LineRunner, BatchWriter, BatchResolver, TenantBatchesResolver],
})
export class BatchesModule {}
