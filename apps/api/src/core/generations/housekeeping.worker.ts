import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '../../base/config/config.js';
import type { Schedule } from '../../base/redis/schedule.js';
import { Schedules } from '../../base/redis/schedules.js';
import { AttendanceService } from './attendance.service.js';
import { OverdueService } from './overdue.service.js';
import { TextRetentionService } from './text-retention.service.js';

const SWEEP_EVERY_MS = 15_000;
const PURGE_EVERY_MS_MAX = 600_000;

/** What has to be done for the generations of all tenants. */
@Injectable()
export class HousekeepingWorker implements OnModuleInit, OnModuleDestroy {
  readonly schedule: Schedule;

  constructor(
    @Inject(CONFIG) config: Config,
    schedules: Schedules,
    overdue: OverdueService,
    attendance: AttendanceService,
    texts: TextRetentionService,
  ) {
    const purgeEveryMs = Math.min(PURGE_EVERY_MS_MAX, config.TEXT_RETENTION_S * 1_000);
    this.schedule = schedules.of('housekeeping', [
      { name: 'generation.endOverdue', everyMs: SWEEP_EVERY_MS, run: () => Promise.all([overdue.sweep(), attendance.sweep()]) },
      { name: 'generation.purgeTexts', everyMs: purgeEveryMs, run: () => texts.purge() },
    ]);
  }

  onModuleInit(): void {
    this.schedule.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.schedule.close();
  }
}
