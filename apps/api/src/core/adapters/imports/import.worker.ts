/** Which API process works on which import. */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { RedisService } from '../../../base/redis/redis.service.js';
import { RowQueue, type RowQueueOptions } from '../../../base/redis/row-queue.js';
import { Schedules } from '../../../base/redis/schedules.js';
import { AdapterImportModel } from '../../../models/adapter-import.model.js';
import type { AdapterKey } from '../../../models/adapter.model.js';
import { AdapterImporter } from './adapter-importer.js';

/** Files come at the hub's pace; what an API process has to do besides comes first. */
const CONCURRENCY = 4;
const LOOK_EVERY_MS = 15_000;
const IMPORTS_PER_LOOK = 1_000;
/** After an error of our own that could not even be written down. */
const FAULT_MS = 10_000;

@Injectable()
export class ImportWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(ImportWorker.name);
  private readonly queue: RowQueue<AdapterKey>;

  constructor(
    redis: RedisService,
    schedules: Schedules,
    imports: AdapterImportModel,
    private readonly importer: AdapterImporter,
  ) {
    const options: RowQueueOptions<AdapterKey> = {
      name: 'adapter-imports',
      job: 'adapter.import',
      concurrency: CONCURRENCY,
      look: { name: 'adapter.resumeImports', everyMs: LOOK_EVERY_MS, open: () => imports.all(IMPORTS_PER_LOOK) },
    };
    this.queue = new RowQueue(redis, schedules, options, this.logger);
  }

  onModuleInit(): void {
    this.queue.start((key, ending) => this.run(key, ending));
  }

  resume(): Promise<void> {
    return this.queue.resume();
  }

  onModuleDestroy(): Promise<void> {
    return this.queue.close();
  }

  add(key: AdapterKey): Promise<void> {
    return this.queue.add(key);
  }

  private async run(key: AdapterKey, ending: AbortSignal): Promise<number | null> {
    try {
      return await this.importer.run(key, ending);
    } catch (error) {
      this.logger.error({ adapterId: key.id, err: error }, 'an import is tried again');
      return FAULT_MS;
    }
  }
}
