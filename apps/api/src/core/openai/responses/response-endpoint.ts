/** `POST /v1/responses`: one answer, as a list of items. */
import type { Outcome } from '../../generations/events/collect.js';
import type { FieldNames } from '../../generations/generation-request.js';
import type { Admitted, AnswerWriter, Endpoint } from '../endpoint.js';
import type { SseWriter } from '../sse-writer.js';
import { readerOf } from '../reasoning/piece-reader.js';
import { responseObject, statusOf } from './response-object.js';
import { ResponseOutput } from './response-output.js';
import type { ResponseSettings } from './response-request.js';
import { ResponseWriter } from './response-writer.js';

export class ResponseEndpoint implements Endpoint {
  constructor(private readonly settings: ResponseSettings) {}

  fieldNames(): FieldNames {
    return {
      target: 'model',
      input: 'input',
      maxTokens: 'max_output_tokens',
      minTokens: 'min_tokens',
      logprobs: 'top_logprobs',
      idempotencyKey: 'Idempotency-Key',
    };
  }

  whole(admitted: Admitted, [outcome]: readonly Outcome[]): object {
    const [choice] = outcome?.choices ?? [];
    if (!outcome || !choice) throw new Error('a response without an answer');
    const reader = readerOf(admitted.asked.tools);
    const output = new ResponseOutput(admitted.generationId);
    output.push([...reader.push(choice.text, choice.reasoningTokens), ...reader.end()], choice.logprobs);
    const status = statusOf(choice.finishReason);
    output.end(status);
    return responseObject(admitted, this.settings, { status, output: output.items, end: { ...outcome, finishReason: choice.finishReason }, error: null });
  }

  stream(admitted: Admitted, sse: SseWriter): AnswerWriter {
    return new ResponseWriter(sse, admitted, this.settings);
  }
}
