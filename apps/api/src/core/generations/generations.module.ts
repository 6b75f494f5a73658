import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { SettlementModule } from '../settlement/settlement.module.js';
import { AttendanceService } from './attendance.service.js';
import { GenerationAdmission } from './generation-admission.js';
import { GenerationEnder } from './generation-ender.js';
import { GenerationEventsResolver } from './generation-events.resolver.js';
import { GenerationFollower } from './generation-follower.js';
import { GenerationLogprobsResolver } from './generation-logprobs.resolver.js';
import { GenerationMetrics } from './generation-metrics.js';
import { GenerationQueue } from './generation-queue.js';
import { GenerationTargets } from './generation-targets.js';
import { GenerationResolver } from './generation.resolver.js';
import { GenerationService } from './generation.service.js';
import { HousekeepingWorker } from './housekeeping.worker.js';
import { OverdueService } from './overdue.service.js';
import { QueueMetrics } from './queue-metrics.js';
import { ReaderWatch } from './reader-watch.js';
import { TextRetentionService } from './text-retention.service.js';
import { TokenCountService } from './token-count.service.js';

@Module({
  imports: [BaseModelsModule, LimitsModule, SettlementModule],
  providers: [
    GenerationMetrics,
    GenerationQueue,
    QueueMetrics,
    GenerationTargets,
    GenerationAdmission,
    GenerationEnder,
    OverdueService,
    TextRetentionService,
    TokenCountService,
    GenerationService,
    GenerationFollower,
    ReaderWatch,
    AttendanceService,
    HousekeepingWorker,
    GenerationResolver,
    GenerationLogprobsResolver,
    GenerationEventsResolver,
  ],
  exports: [AttendanceService, GenerationService, GenerationFollower, TokenCountService],
})
export class GenerationsModule {}
