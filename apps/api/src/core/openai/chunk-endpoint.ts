/** `POST /v1/chat/completions` and `POST /v1/completions`: choices, whole or in chunks. */
import type { Outcome } from '../generations/events/collect.js';
import type { FieldNames } from '../generations/generation-request.js';
import { ChunkWriter } from './chunk-writer.js';
import type { Admitted, AnswerWriter, Endpoint } from './endpoint.js';
import type { OpenAiRequest } from './openai-request.js';
import { wholeAnswer, type Flavour, type Head } from './openai-response.js';
import type { SseWriter } from './sse-writer.js';

export class ChunkEndpoint implements Endpoint {
  constructor(private readonly flavour: Flavour) {}

  fieldNames(asked: OpenAiRequest, prompt: number): FieldNames {
    const isChat = this.flavour === 'chat';
    const ofMany = asked.generations.length > 1 ? `prompt[${prompt}]` : 'prompt';
    return {
      target: 'model',
      input: isChat ? 'messages' : ofMany,
      maxTokens: 'max_tokens',
      minTokens: 'min_tokens',
      logprobs: isChat ? 'top_logprobs' : 'logprobs',
      idempotencyKey: 'Idempotency-Key',
    };
  }

  whole(admitted: Admitted, outcomes: readonly Outcome[]): object {
    return wholeAnswer(this.headOf(admitted), outcomes);
  }

  stream(admitted: Admitted, sse: SseWriter): AnswerWriter {
    return new ChunkWriter(sse, this.headOf(admitted), admitted.asked.includeUsage);
  }

  private headOf({ asked, ...admitted }: Admitted): Head {
    return { ...admitted, flavour: this.flavour, tools: asked.tools };
  }
}
