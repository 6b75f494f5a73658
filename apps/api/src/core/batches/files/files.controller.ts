/** OpenAI's `/v1/files`, as far as batches need it. */
import { Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Caller, CurrentCaller } from '../../../base/auth/caller.js';
import { requireInferenceKey } from '../../openai/openai-caller.js';
import { BatchFileService } from './batch-file.service.js';
import { fileView, listView } from './batch-file.view.js';
import { sendFile } from './send-file.js';

@Controller('v1/files')
export class FilesController {
  constructor(private readonly files: BatchFileService) {}

  @Post()
  @HttpCode(200)
  async upload(@CurrentCaller() caller: Caller, @Req() request: Request): Promise<object> {
    requireInferenceKey(caller);
    return fileView(await this.files.upload(caller, request));
  }

  @Get()
  async list(@CurrentCaller() caller: Caller, @Query() query: object): Promise<object> {
    requireInferenceKey(caller);
    const { rows, hasMore } = await this.files.list(caller, query);
    return listView(rows.map(fileView), hasMore);
  }

  @Get(':id')
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<object> {
    requireInferenceKey(caller);
    return fileView(await this.files.find(caller, id));
  }

  @Get(':id/content')
  async content(@CurrentCaller() caller: Caller, @Param('id') id: string, @Res() response: Response): Promise<void> {
    requireInferenceKey(caller);
    const row = await this.files.find(caller, id);
    await sendFile(row, await this.files.read(row), response);
  }

  @Delete(':id')
  async remove(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<object> {
    requireInferenceKey(caller);
    return { id: fileView(await this.files.delete(caller, id)).id, object: 'file', deleted: true };
  }
}
