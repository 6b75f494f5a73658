/** `POST /v1/responses`: one answer, as a list of items. */
import type { Outcome, OutcomeChoice } from '../../generations/events/collect.js';
import type { FieldNames } from '../../generations/generation-request.js';
import type { Admitted, AnswerWriter, Endpoint } from '../endpoint.js';
import { piecesOf } from '../reasoning/piece-reader.js';
import type { SseWriter } from '../sse-writer.js';
import type { OfferedTools } from '../tools/offered-tools.js';
import { responseObject, statusOf } from './response-object.js';
import { type OutputItem, ResponseOutput } from './response-output.js';
import type { ResponseSettings } from './response-request.js';
import { ResponseWriter } from './response-writer.js';

/** What an answer comes to, once it is whole. */
export function itemsOf(generationId: string, { text, reasoningTokens, logprobs, finishReason }: OutcomeChoice, tools: OfferedTools | null): readonly OutputItem[] {
  const output = new ResponseOutput(generationId);
  output.push(piecesOf(text, tools, reasoningTokens), logprobs);
  output.end(statusOf(finishReason));
  return output.items;
}

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
    const output = itemsOf(admitted.generationId, choice, admitted.asked.tools);
    return responseObject(admitted, this.settings, { status: statusOf(choice.finishReason), output, end: { ...outcome, finishReason: choice.finishReason }, error: null });
  }

  stream(admitted: Admitted, sse: SseWriter): AnswerWriter {
    return new ResponseWriter(sse, admitted, this.settings);
  }
}
