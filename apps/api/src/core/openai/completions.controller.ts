import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { ChunkEndpoint } from './chunk-endpoint.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';
import { CompletionService } from './completion.service.js';
import type { Endpoint } from './endpoint.js';
import type { Exchange } from './exchange.js';
import { requireInferenceKey } from './openai-caller.js';
import { describe, refuse } from './openai-error.js';
import type { OpenAiRequest } from './openai-request.js';
import { ResponseEndpoint } from './responses/response-endpoint.js';
import { parseResponseRequest } from './responses/response-request.js';

const CHAT = new ChunkEndpoint('chat');
const COMPLETION = new ChunkEndpoint('completion');

type Parse = (body: Readonly<Record<string, unknown>>) => OpenAiRequest;

@Controller('v1')
export class CompletionsController {
  constructor(private readonly completions: CompletionService) {}

  @Post('chat/completions')
  @HttpCode(200)
  chat(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.answer(CHAT, parseChatRequest, body, { caller, request, response });
  }

  @Post('completions')
  @HttpCode(200)
  complete(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.answer(COMPLETION, parseCompletionRequest, body, { caller, request, response });
  }

  @Post('responses')
  @HttpCode(200)
  async respond(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    requireInferenceKey(caller);
    const { asked, settings } = parseResponseRequest(objectOf(body));
    await this.completions.answer(new ResponseEndpoint(settings), asked, { caller, request, response });
  }

  private async answer(endpoint: Endpoint, parse: Parse, body: unknown, exchange: Exchange): Promise<void> {
    requireInferenceKey(exchange.caller);
    await this.completions.answer(endpoint, parse(objectOf(body)), exchange);
  }
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (body !== null && typeof body === 'object' && !Array.isArray(body)) return { ...body };
  return refuse('', `The request body: expected a JSON object, sent as application/json, found ${describe(body)}.`);
}
