import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { CompletionService } from './completion.service.js';
import { type EndpointPath, ENDPOINTS, readCounted } from './endpoints.js';
import type { Exchange } from './exchange.js';
import { requireInferenceKey } from './openai-caller.js';
import { PromptService } from './prompt.service.js';
import { writeRateHeaders } from './rate-headers.js';
import { ItemReferences } from './responses/item-references.js';

@Controller('v1')
export class CompletionsController {
  constructor(
    private readonly completions: CompletionService,
    private readonly references: ItemReferences,
    private readonly prompts: PromptService,
  ) {}

  @Post('chat/completions')
  @HttpCode(200)
  chat(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.answer('/v1/chat/completions', () => body, { caller, request, response });
  }

  @Post('completions')
  @HttpCode(200)
  complete(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.answer('/v1/completions', () => body, { caller, request, response });
  }

  @Post('responses')
  @HttpCode(200)
  respond(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    const whole = (): Promise<unknown> => this.references.resolve(caller, body, (rates) => writeRateHeaders(response, rates));
    return this.answer('/v1/responses', whole, { caller, request, response });
  }

  @Post('messages')
  @HttpCode(200)
  message(@CurrentCaller() caller: Caller, @Body() body: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.answer('/v1/messages', () => body, { caller, request, response });
  }

  /** Anthropic's: what the same body would be as a prompt. */
  @Post('messages/count_tokens')
  @HttpCode(200)
  async count(@CurrentCaller() caller: Caller, @Body() body: unknown, @Res({ passthrough: true }) response: Response): Promise<object> {
    requireInferenceKey(caller);
    return { input_tokens: await this.prompts.count(caller, readCounted(body), (rates) => writeRateHeaders(response, rates)) };
  }

  private async answer(path: EndpointPath, body: () => unknown, exchange: Exchange): Promise<void> {
    requireInferenceKey(exchange.caller);
    await this.completions.answer(ENDPOINTS[path](await body()), exchange);
  }
}
