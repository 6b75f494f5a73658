/** The same files for browsers with a session, which have no part in `/v1`. */
import { Controller, Get, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Caller, CurrentCaller } from '../../../base/auth/caller.js';
import { mayUseBatches } from '../batch.policy.js';
import { BatchFileService } from './batch-file.service.js';
import { fileView } from './batch-file.view.js';
import { sendFile } from './send-file.js';

@Controller('batch-files')
export class BrowserFilesController {
  constructor(private readonly files: BatchFileService) {}

  @Post()
  async upload(@CurrentCaller() caller: Caller, @Req() request: Request): Promise<object> {
    mayUseBatches(caller);
    return fileView(await this.files.upload(caller, request));
  }

  @Get(':id')
  async download(@CurrentCaller() caller: Caller, @Param('id') id: string, @Res() response: Response): Promise<void> {
    mayUseBatches(caller);
    const row = await this.files.find(caller, id);
    await sendFile(row, await this.files.read(row), response);
  }
}
