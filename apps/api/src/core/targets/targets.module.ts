import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { TargetNames } from './target-names.js';

@Module({ imports: [BaseModelsModule], providers: [TargetNames], exports: [TargetNames] })
export class TargetsModule {}
