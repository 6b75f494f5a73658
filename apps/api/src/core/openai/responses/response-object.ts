/** The answer of `POST /v1/responses`, at any moment of it. */
import type { EndEvent, FinishReason } from '@aril/contracts';
import type { Admitted } from '../endpoint.js';
import type { OutputItem } from './response-output.js';
import type { ResponseSettings } from './response-request.js';

type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed';

/** What ended too early, because its tokens were used up or somebody stopped it, is incomplete. */
export const statusOf = (reason: FinishReason): 'completed' | 'incomplete' => (reason === 'stop' ? 'completed' : 'incomplete');

export interface ResponseState {
  status: ResponseStatus;
  output: readonly OutputItem[];
  end: Pick<EndEvent, 'finishReason' | 'promptTokens' | 'cachedTokens' | 'completionTokens' | 'reasoningTokens'> | null;
  error: { code: string; message: string } | null;
}

export function responseObject({ generationId, created, model, asked }: Admitted, settings: ResponseSettings, state: ResponseState): object {
  const { status, output, end, error } = state;
  const [generation] = asked.generations;
  return {
    id: `resp_${generationId}`,
    object: 'response',
    created_at: created,
    status,
    background: false,
    error,
    incomplete_details: end?.finishReason === 'length' ? { reason: 'max_output_tokens' } : null,
    instructions: settings.instructions ?? null,
    max_output_tokens: settings.max_output_tokens ?? null,
    metadata: settings.metadata ?? {},
    model,
    output,
    parallel_tool_calls: settings.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: settings.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: generation?.sampling.temperature ?? null,
    text: { ...settings.text, format: settings.text?.format ?? { type: 'text' } },
    tool_choice: settings.tool_choice ?? 'auto',
    tools: settings.tools ?? [],
    top_logprobs: settings.top_logprobs ?? 0,
    top_p: generation?.sampling.topP ?? null,
    truncation: 'disabled',
    usage: end && usageOf(end),
  };
}

const usageOf = ({ promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 }: NonNullable<ResponseState['end']>): object => ({
  input_tokens: promptTokens,
  // What is kept of a prompt costs nothing; clients that check answers miss the number.
  input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
  output_tokens: completionTokens,
  output_tokens_details: { reasoning_tokens: reasoningTokens },
  total_tokens: promptTokens + completionTokens,
});
