import { Module } from '@nestjs/common';
import { LimitsModule } from '../limits/limits.module.js';
import { SettlementMetrics } from './settlement-metrics.js';
import { SettlementService } from './settlement.service.js';
import { SettlementWorker } from './settlement.worker.js';

@Module({
  imports: [LimitsModule],
  providers: [SettlementMetrics, SettlementService, SettlementWorker],
  exports: [SettlementService],
})
export class SettlementModule {}
