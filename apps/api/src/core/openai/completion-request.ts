/** The body of `POST /v1/completions`: prompts as text or as token ids, each continued without a chat template. */
import { topLogprobsSchema } from '@aril/contracts';
import { z } from 'zod';
import { checkLogprobs, echoedTokensMax, INPUT_CHARS_MAX, type GenerationInput } from '../generations/generation-request.js';
import { toConstraint } from './openai-constraint.js';
import { describe, refuse, refuseIssue } from './openai-error.js';
import { checkParameters, COMPLETION_PARAMETERS } from './openai-parameters.js';
import { checkLength, commonFields, streamOptionsNeedStream, toRequest, type OpenAiRequest } from './openai-request.js';
import { optional } from './optional.js';

/** OpenAI's documented default of this endpoint, which clients written for it count on. */
const MAX_TOKENS_DEFAULT = 16;
/** More than the batches that clients send; each is a generation of its own. */
const PROMPTS_MAX = 128;

const text = z.string().max(INPUT_CHARS_MAX);
const tokens = z.array(z.number().int().min(0).max(0xffff_ffff)).min(1);

const PROMPT_EXPECTED = `expected a string, a list of token ids, or a list of 1 to ${PROMPTS_MAX} of either`;

const fields = {
  ...commonFields,
  /** 0 scores the prompt, and says nothing without `echo`. */
  max_tokens: optional(z.number().int().min(0)),
  prompt: z.union(
    [text, tokens, z.array(text).min(1).max(PROMPTS_MAX), z.array(tokens).min(1).max(PROMPTS_MAX)],
    PROMPT_EXPECTED,
  ),
  /** OpenAI's limit is 5; vLLM's is the chat endpoint's, and ours. */
  logprobs: optional(topLogprobsSchema),
  /** The prompt before the completion, and with `logprobs` those of its tokens. */
  echo: optional(z.boolean()),
};

const schema = z
  .object(fields)
  .refine(streamOptionsNeedStream.check, streamOptionsNeedStream.issue)
  .refine(({ max_tokens: most, echo }) => most !== 0 || echo === true, { path: ['max_tokens'], message: 'expected at least 1 without echo' });

export function parseCompletionRequest(body: Readonly<Record<string, unknown>>): OpenAiRequest {
  checkLongLists(body['prompt']);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return refuseIssue(parsed.error, body);
  checkParameters(body, Object.keys(fields), COMPLETION_PARAMETERS);
  const { data } = parsed;
  const inputs = toInputs(data.prompt);
  // Not left to the model's context: it counts for the log probabilities of all prompts together.
  const maxTokens = data.max_tokens ?? MAX_TOKENS_DEFAULT;
  const logprobs = data.logprobs ?? null;
  const echo = data.echo ?? false;
  const echoed = inputs.reduce((sum, input) => sum + echoedTokensMax({ echo, input }), 0);
  checkLogprobs({ tokens: inputs.length * (data.n ?? 1) * maxTokens + echoed, logprobs }, 'logprobs');
  const constraint = toConstraint(data);
  return toRequest(data, { inputs, constraint, tools: null, maxTokens, maxTokensDefault: MAX_TOKENS_DEFAULT, logprobs, echo });
}

/** Only lists of tokens may be long. Before zod, which notes each item that is not what it expects: there may be a million. */
function checkLongLists(prompt: unknown): void {
  const lists = Array.isArray(prompt) ? [prompt, ...(prompt.slice(0, PROMPTS_MAX).filter(Array.isArray) as unknown[][])] : [];
  const isFine = (list: unknown[]): boolean => list.length <= PROMPTS_MAX || list.every((item) => typeof item === 'number' && item >= 0);
  if (!lists.every(isFine)) refuse('prompt', `prompt: ${PROMPT_EXPECTED}, found ${describe(prompt)}.`);
}

function toInputs(prompt: z.infer<(typeof fields)['prompt']>): GenerationInput[] {
  if (typeof prompt === 'string') return [{ kind: 'prompt', prompt }];
  const texts = prompt.filter((item) => typeof item === 'string');
  checkLength('prompt', texts);
  if (texts.length > 0) return texts.map((item) => ({ kind: 'prompt', prompt: item }));
  const lists = prompt.filter((item) => Array.isArray(item));
  if (lists.length > 0) return lists.map((item) => ({ kind: 'tokens', tokens: item }));
  return [{ kind: 'tokens', tokens: prompt.filter((item) => typeof item === 'number') }];
}
