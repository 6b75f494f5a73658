import { Module } from '@nestjs/common';
import { BaseModelResolver } from './base-model.resolver.js';
import { BaseModelService } from './base-model.service.js';
import { RunnerDirectory } from './runner-directory.js';
import { RunnerMetrics } from './runner-metrics.js';

@Module({ providers: [BaseModelService, BaseModelResolver, RunnerDirectory, RunnerMetrics], exports: [BaseModelService, RunnerDirectory] })
export class BaseModelsModule {}
