/** `POST /v1/messages`: one answer, as a list of blocks. */
import type { Outcome } from '../../generations/events/collect.js';
import type { FieldNames } from '../../generations/generation-request.js';
import type { Admitted, AnswerWriter, Endpoint } from '../endpoint.js';
import { piecesOf } from '../reasoning/piece-reader.js';
import type { SseWriter } from '../sse-writer.js';
import { messageObject, stopOf, usageOf } from './message-object.js';
import { MessageOutput } from './message-output.js';
import type { MessageSettings } from './message-request.js';
import { MessageWriter } from './message-writer.js';

export class MessageEndpoint implements Endpoint {
  constructor(private readonly settings: MessageSettings) {}

  fieldNames(): FieldNames {
    return {
      target: 'model',
      input: 'messages',
      maxTokens: 'max_tokens',
      minTokens: 'min_tokens',
      logprobs: 'logprobs',
      idempotencyKey: 'Idempotency-Key',
    };
  }

  whole(admitted: Admitted, [outcome]: readonly Outcome[]): object {
    const [choice] = outcome?.choices ?? [];
    if (!outcome || !choice) throw new Error('a message without an answer');
    const output = new MessageOutput(admitted.generationId, this.settings.tellsThoughts);
    output.push(piecesOf(choice.text, admitted.asked.tools, choice.reasoningTokens));
    output.close();
    const end = { ...outcome, finishReason: choice.finishReason, stop: choice.stop };
    return messageObject(admitted, output.blocks, stopOf(end, output, this.settings), usageOf(end));
  }

  stream(admitted: Admitted, sse: SseWriter): AnswerWriter {
    return new MessageWriter(sse, admitted, this.settings);
  }
}
