import { Module } from '@nestjs/common';
import { BaseModelsModule } from '../base-models/base-models.module.js';
import { GenerationsModule } from '../generations/generations.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { CompletionService } from './completion.service.js';
import { CompletionsController } from './completions.controller.js';
import { ModelListService } from './model-list.service.js';
import { ModelsController } from './models.controller.js';
import { PromptService } from './prompt.service.js';
import { ItemReferences } from './responses/item-references.js';
import { UnknownEndpointController } from './unknown-endpoint.controller.js';
import { UnreadAnswers } from './unread-answers.js';

@Module({
  imports: [BaseModelsModule, GenerationsModule, LimitsModule],
  // In this order: the last takes what the others leave.
  controllers: [CompletionsController, ModelsController, UnknownEndpointController],
  providers: [CompletionService, ItemReferences, PromptService, UnreadAnswers, ModelListService],
  exports: [PromptService],
})
export class OpenAiModule {}
