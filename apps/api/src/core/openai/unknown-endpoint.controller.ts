/** What is asked of `/v1` and not there: clients that try OpenAI's other endpoints are told which there are. */
import { All, Controller, Req } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Request } from 'express';
import { Public } from '../../base/auth/caller.js';

const ENDPOINTS = 'POST /v1/chat/completions, POST /v1/completions, POST /v1/responses, POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models and GET /v1/models/{model}; for batches /v1/files and /v1/batches';

/** The last of the module's controllers: it takes what no other has taken. Nothing of a tenant's is told. */
@Public()
@Controller('v1')
export class UnknownEndpointController {
  @All(['', '{*path}'])
  refuse(@Req() request: Request): never {
    const asked = `${request.method} ${request.path.slice(0, 200)}`;
    throw new ArilError('NOT_FOUND', `There is no ${asked}. The endpoints are ${ENDPOINTS}.`);
  }
}
