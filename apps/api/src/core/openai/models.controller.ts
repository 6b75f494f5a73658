import { Controller, Get, Param } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { ModelListService, type OpenAiModel } from './model-list.service.js';
import { requireInferenceKey } from './openai-caller.js';

@Controller('v1/models')
export class ModelsController {
  constructor(private readonly models: ModelListService) {}

  @Get()
  async list(@CurrentCaller() caller: Caller): Promise<{ object: 'list'; data: OpenAiModel[] }> {
    requireInferenceKey(caller);
    return { object: 'list', data: await this.models.list(caller) };
  }

  @Get(':id')
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<OpenAiModel> {
    requireInferenceKey(caller);
    const model = (await this.models.list(caller)).find((candidate) => candidate.id === id);
    if (model) return model;
    throw new ArilError('MODEL_NOT_FOUND', `model: there is no adapter, deployment or base model ${JSON.stringify(id.slice(0, 80))}`, 'model');
  }
}
