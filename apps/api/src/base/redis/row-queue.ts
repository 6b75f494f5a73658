/**
 * A queue whose jobs are keys of rows, with a worker in every API process: a row has one job at most, which another process
 * takes up when this one dies. Everything else is in Postgres, where open rows without a job are looked for now and then.
 */
import type { Logger } from '@nestjs/common';
import { QUEUE_PREFIX } from '@aril/contracts';
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import type { RedisService } from './redis.service.js';
import type { Chore, Schedule } from './schedule.js';
import type { Schedules } from './schedules.js';
import { WORKER_OPTIONS } from './worker-options.js';

export interface RowQueueOptions<Key> {
  name: string;
  /** What BullMQ calls the jobs. */
  job: string;
  /** Rows that one process works on at once. */
  concurrency: number;
  /** Looks for the rows that are to have a job. */
  look: Omit<Chore, 'run'> & { open: () => Promise<Key[]> };
  /** What else is done for such rows now and then. */
  chores?: Chore[];
}

/** Works on a row until it is done or `ending` is aborted, as when the process ends. Milliseconds: not done, and to be tried again then. */
export type RowWork<Key> = (key: Key, ending: AbortSignal) => Promise<number | null>;

export class RowQueue<Key extends { id: string }> {
  private readonly ending = new AbortController();
  private readonly queue: Queue<Key, void, string>;
  private readonly schedule: Schedule;
  private worker: Worker<Key, void, string> | null = null;

  constructor(
    private readonly redis: RedisService,
    schedules: Schedules,
    private readonly options: RowQueueOptions<Key>,
    private readonly logger: Logger,
  ) {
    const { name, look, chores = [] } = options;
    this.schedule = schedules.of(name, [{ ...look, run: () => this.resume() }, ...chores]);
    this.queue = new Queue(name, { connection: redis.client, prefix: QUEUE_PREFIX });
    this.queue.on('error', this.warn);
  }

  start(work: RowWork<Key>): void {
    const { name, concurrency } = this.options;
    this.worker = new Worker<Key, void, string>(name, (job, token) => this.process(work, job, token), {
      ...WORKER_OPTIONS,
      connection: this.redis.connect(name),
      concurrency,
      // A row that is still open is added anew.
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.worker.on('error', this.warn);
    this.worker.on('failed', (job, error) => this.logger.warn({ id: job?.data.id, err: error }, `${this.options.job}: tried again`));
    this.schedule.start();
  }

  /** Without effect while the row has a job. */
  async add(key: Key): Promise<void> {
    await (this.queue as Queue).add(this.options.job, key, { jobId: key.id });
  }

  /** Rows that have none get a job. */
  async resume(): Promise<void> {
    for (const key of await this.options.look.open()) await this.add(key);
  }

  /** What is under way goes back to the queue, for another process or a later one. */
  async close(): Promise<void> {
    this.ending.abort(new Error('this process ends'));
    await this.schedule.close();
    await this.worker?.close();
    await this.queue.close();
  }

  private async process(work: RowWork<Key>, job: Job<Key, void, string>, token: string | undefined): Promise<void> {
    const againMs = await work(job.data, this.ending.signal);
    if (againMs === null) return;
    await job.moveToDelayed(Date.now() + againMs, token);
    throw new DelayedError();
  }

  private readonly warn = (error: Error): void => this.logger.warn(`queue ${this.options.name}: ${error.message}`);
}
