/** The body of `POST /v1/completions`: a prompt as text or as token ids, continued without a chat template. */
import { topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { INPUT_CHARS_MAX, type GenerationInput } from '../generations/generation-request.js';
import { refuse, refuseIssue } from './openai-error.js';
import { checkParameters, COMPLETION_PARAMETERS } from './openai-parameters.js';
import { commonFields, streamOptionsNeedStream, toRequest, type OpenAiRequest } from './openai-request.js';
import { optional } from './optional.js';

/** OpenAI's documented default of this endpoint, which clients written for it count on. */
const MAX_TOKENS_DEFAULT = 16;

const text = z.string().max(INPUT_CHARS_MAX);
const tokens = z.array(z.number().int().min(0).max(0xffff_ffff)).min(1);

const fields = {
  ...commonFields,
  prompt: z.union(
    [text, tokens, z.tuple([text]), z.tuple([tokens])],
    'expected a string, a list of token ids, or a list of exactly one of these',
  ),
  /** OpenAI's limit is 5; vLLM's is the chat endpoint's, and ours. */
  logprobs: optional(topLogprobsSchema),
};

const schema = z.object(fields).refine(streamOptionsNeedStream.check, streamOptionsNeedStream.issue);

export function parseCompletionRequest(body: Readonly<Record<string, unknown>>): OpenAiRequest {
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), COMPLETION_PARAMETERS);
  const { data } = parsed;
  return toRequest(data, {
    input: toInput(data.prompt),
    maxTokens: data.max_tokens ?? MAX_TOKENS_DEFAULT,
    logprobs: data.logprobs ?? null,
  });
}

function toInput(prompt: z.infer<(typeof fields)['prompt']>): GenerationInput {
  if (typeof prompt === 'string') return { kind: 'prompt', prompt };
  const [first] = prompt;
  if (typeof first === 'string') return { kind: 'prompt', prompt: first };
  if (Array.isArray(first)) return { kind: 'tokens', tokens: first };
  const ids = prompt.filter((token) => typeof token === 'number');
  return ids.length > 0 ? { kind: 'tokens', tokens: ids } : refuse('prompt', 'prompt: expected at least one token.');
}
