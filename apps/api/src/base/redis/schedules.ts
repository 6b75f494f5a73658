import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import type { Queue } from 'bullmq';

interface Schedule {
  queue: Queue;
  job: string;
  everyMs: number;
}

/** Far less than what waits for a lost schedule may wait. */
const LOOK_EVERY_MS = 60_000;

/**
 * The schedules of periodic jobs are in Redis, so that of any number of API processes one does each of them. A Redis
 * that comes back without its data has lost them too: every process looks now and then whether they are there.
 */
@Injectable()
export class Schedules implements OnModuleDestroy {
  private readonly logger = new Logger(Schedules.name);
  private readonly schedules: Schedule[] = [];
  private readonly timer = setInterval(() => void this.keep(), LOOK_EVERY_MS).unref();

  /** Not waited for: an API that starts before Redis waits for it in `/ready`. */
  start(schedule: Schedule): void {
    this.schedules.push(schedule);
    void this.trying(() => write(schedule));
  }

  /** Writes those that are gone. */
  async keep(): Promise<void> {
    for (const schedule of this.schedules) {
      await this.trying(async () => {
        if (await schedule.queue.getJobScheduler(schedule.job)) return;
        this.logger.warn(`the schedule of ${schedule.job} was gone`);
        await write(schedule);
      });
    }
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.error({ err: error }, 'a schedule could not be written');
    }
  }
}

const write = ({ queue, job, everyMs }: Schedule): Promise<unknown> => queue.upsertJobScheduler(job, { every: everyMs }, { name: job });
