/** OpenAI's `/v1/batches`. */
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { validInput } from '../../base/errors/validate.js';
import { requireInferenceKey } from '../openai/openai-caller.js';
import { BatchService } from './batch.service.js';
import { batchView } from './batch.view.js';
import { listView } from './files/batch-file.view.js';

const listSchema = z.object({ limit: z.coerce.number().int().min(1).max(100).default(20), after: z.string().optional() });

@Controller('v1/batches')
export class BatchesController {
  constructor(private readonly batches: BatchService) {}

  @Post()
  @HttpCode(200)
  async create(@CurrentCaller() caller: Caller, @Body() body: unknown): Promise<object> {
    requireInferenceKey(caller);
    return batchView(await this.batches.create(caller, body));
  }

  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: object): Promise<object> {
    requireInferenceKey(caller);
    const { limit, after } = validInput(listSchema, query);
    const rows = await this.batches.list(caller, limit, after ?? null);
    return listView(rows.slice(0, limit).map(batchView), rows.length > limit);
  }

  @Get(':id')
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<object> {
    requireInferenceKey(caller);
    return batchView(await this.batches.find(caller, id));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<object> {
    requireInferenceKey(caller);
    return batchView(await this.batches.cancel(caller, id));
  }
}
