import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Schedule } from '../../base/redis/schedule.js';
import { Schedules } from '../../base/redis/schedules.js';
import { StatementIssuer } from './statement-issuer.js';

const ISSUE_EVERY_MS = 3_600_000;

@Injectable()
export class StatementWorker implements OnModuleInit, OnModuleDestroy {
  readonly schedule: Schedule;

  constructor(schedules: Schedules, issuer: StatementIssuer) {
    const issue = { name: 'statement.issueDue', everyMs: ISSUE_EVERY_MS, run: () => issuer.issueDue() };
    this.schedule = schedules.of('statements', [issue]);
  }

  onModuleInit(): void {
    this.schedule.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.schedule.close();
  }
}
