import { Module } from '@nestjs/common';
import { SettlementService } from './settlement.service.js';
import { SettlementWorker } from './settlement.worker.js';

@Module({
  providers: [SettlementService, SettlementWorker],
  exports: [SettlementService],
})
export class SettlementModule {}
