import { Module } from '@nestjs/common';
import { BaseModelResolver } from './base-model.resolver.js';
import { BaseModelService } from './base-model.service.js';
import { RunnerDirectory } from './runner-directory.js';

@Module({ providers: [BaseModelService, BaseModelResolver, RunnerDirectory], exports: [BaseModelService, RunnerDirectory] })
export class BaseModelsModule {}
