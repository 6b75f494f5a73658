/**
 * The queue of imports, and its workers in every API process. A job says only which adapter; everything else is in Postgres,
 * where open imports without a job are looked for now and then.
 */
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import { RedisService } from '../../../base/redis/redis.service.js';
import type { Schedule } from '../../../base/redis/schedule.js';
import { Schedules } from '../../../base/redis/schedules.js';
import { WORKER_OPTIONS } from '../../../base/redis/worker-options.js';
import { AdapterImportModel } from '../../../models/adapter-import.model.js';
import type { AdapterKey } from '../../../models/adapter.model.js';
import { AdapterImporter } from './adapter-importer.js';

const QUEUE = 'adapter-imports';
const JOB = 'adapter.import';
/** Files come at the hub's pace; what an API process has to do besides comes first. */
const CONCURRENCY = 4;
const LOOK_EVERY_MS = 15_000;
const IMPORTS_PER_LOOK = 1_000;
/** After an error of our own that could not even be written down. */
const FAULT_MS = 10_000;

@Injectable()
export class ImportWorker implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(ImportWorker.name);
  private readonly closing = new AbortController();
  private readonly queue: Queue<AdapterKey>;
  private readonly schedule: Schedule;
  private worker: Worker<AdapterKey> | null = null;

  constructor(
    private readonly redis: RedisService,
    schedules: Schedules,
    private readonly imports: AdapterImportModel,
    private readonly importer: AdapterImporter,
  ) {
    this.queue = new Queue(QUEUE, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', (error) => this.logger.warn(`import queue: ${error.message}`));
    this.schedule = schedules.of('imports', [{ name: 'adapter.resumeImports', everyMs: LOOK_EVERY_MS, run: () => this.resume() }]);
  }

  onModuleInit(): void {
    this.worker = new Worker<AdapterKey>(QUEUE, (job, token) => this.process(job, token), {
      ...WORKER_OPTIONS,
      connection: this.redis.connect('imports'),
      concurrency: CONCURRENCY,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.worker.on('error', (error) => this.logger.warn(`import queue: ${error.message}`));
    this.schedule.start();
  }

  /** What is under way goes back to the queue, for another process or a later one. */
  async onModuleDestroy(): Promise<void> {
    this.closing.abort(new Error('this process ends'));
    await this.worker?.close();
    await this.schedule.close();
    await this.queue.close();
  }

  /** One job per adapter: adding it again while it is there changes nothing. */
  async add(key: AdapterKey): Promise<void> {
    await this.queue.add(JOB, key, { jobId: key.id });
  }

  async resume(): Promise<void> {
    for (const key of await this.imports.all(IMPORTS_PER_LOOK)) await this.add(key);
  }

  private async process(job: Job<AdapterKey>, token: string | undefined): Promise<void> {
    const againMs = await this.importer.run(job.data, this.closing.signal).catch((error: unknown) => {
      this.logger.error({ adapterId: job.data.id, err: error }, 'an import is tried again');
      return FAULT_MS;
    });
    if (againMs === null) return;
    await job.moveToDelayed(Date.now() + againMs, token);
    throw new DelayedError();
  }
}
