import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { GenerationsModule } from '../generations/generations.module.js';
import { CompletionService } from './completion.service.js';
import { CompletionsController } from './completions.controller.js';
import { ModelListService } from './model-list.service.js';
import { ModelsController } from './models.controller.js';

@Module({
  imports: [BaseModelsModule, GenerationsModule],
  controllers: [CompletionsController, ModelsController],
  providers: [CompletionService, ModelListService],
})
export class OpenAiModule {}
