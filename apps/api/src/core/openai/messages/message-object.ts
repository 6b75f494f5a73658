/** The answer of `POST /v1/messages`, at any moment of it. */
import type { EndEvent } from '@aril/contracts';
import type { Admitted } from '../endpoint.js';
import type { MessageOutput } from './message-output.js';
import type { MessageSettings } from './message-request.js';

export type MessageEnd = Pick<EndEvent, 'finishReason' | 'promptTokens' | 'cachedTokens' | 'completionTokens' | 'reasoningTokens'> & { stop?: string | null };

/** `stop` null: it goes on. */
export const messageObject = ({ generationId, model }: Admitted, content: MessageOutput['blocks'], stop: object | null, usage: object): object => ({
  id: `msg_${generationId}`,
  type: 'message',
  role: 'assistant',
  model,
  content,
  ...(stop ?? { stop_reason: null, stop_sequence: null }),
  usage,
});

/** Why it ended. Nobody cancels an answer at Anthropic's: cut short, as by too few tokens, is what it is. */
export function stopOf({ finishReason, stop = null, completionTokens }: MessageEnd, { hasCalls }: MessageOutput, { maxTokens }: MessageSettings): object {
  const isFull = finishReason === 'length' && completionTokens < maxTokens;
  if (finishReason !== 'stop') return { stop_reason: isFull ? 'model_context_window_exceeded' : 'max_tokens', stop_sequence: null };
  if (stop !== null) return { stop_reason: 'stop_sequence', stop_sequence: stop };
  return { stop_reason: hasCalls ? 'tool_use' : 'end_turn', stop_sequence: null };
}

/** Anthropic counts what was found in a cache apart from the rest of the prompt. */
export const usageOf = ({ promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 }: Omit<MessageEnd, 'finishReason'>): object => ({
  input_tokens: promptTokens - cachedTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cachedTokens,
  output_tokens: completionTokens,
  output_tokens_details: { thinking_tokens: reasoningTokens },
});
