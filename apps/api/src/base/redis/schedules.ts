import { Gauge, Histogram, LATENCY_BUCKETS_S, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import { RedisService } from './redis.service.js';
import { type Chore, Schedule } from './schedule.js';

/** Makes schedules, and measures what is done by them. Of any number of API processes one does a chore: look at all. */
@Injectable()
export class Schedules {
  private readonly seconds: Histogram<'chore' | 'outcome'>;
  private readonly succeededAt: Gauge<'chore'>;

  constructor(
    private readonly redis: RedisService,
    registry: Registry,
  ) {
    const registers = [registry];
    this.seconds = new Histogram({ name: 'aril_api_chore_seconds', help: 'What is done every now and then: how long it took and how it ended.', labelNames: ['chore', 'outcome'], buckets: LATENCY_BUCKETS_S, registers });
    this.succeededAt = new Gauge({ name: 'aril_api_chore_last_success_timestamp_seconds', help: 'When this process last did it without failing.', labelNames: ['chore'], registers });
  }

  of(name: string, chores: readonly Chore[]): Schedule {
    for (const { name: chore } of chores) for (const outcome of ['done', 'failed']) this.seconds.zero({ chore, outcome });
    return new Schedule(name, this.redis, chores.map((chore) => ({ ...chore, run: () => this.measured(chore) })));
  }

  private async measured({ name: chore, run }: Chore): Promise<unknown> {
    const done = this.seconds.startTimer({ chore });
    try {
      const result = await run();
      done({ outcome: 'done' });
      this.succeededAt.set({ chore }, Date.now() / 1000);
      return result;
    } catch (error) {
      done({ outcome: 'failed' });
      throw error;
    }
  }
}
