/** How much a model is to think, as OpenAI's clients say it, in the variables that chat templates know. */
import type { GenerationInput } from '../../generations/generation-request.js';

export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
type Effort = (typeof EFFORTS)[number];

type TemplateOptions = NonNullable<Extract<GenerationInput, { kind: 'messages' }>['templateOptions']>;

/**
 * `enable_thinking` is Qwen's, `reasoning_effort` gpt-oss's; templates pass over what they do not know. What the caller
 * gives the template counts more.
 */
export function effortOptions(effort: Effort | undefined, given: TemplateOptions = {}): { templateOptions?: TemplateOptions } {
  const templateOptions = { ...(effort && variablesOf(effort)), ...given };
  return Object.keys(templateOptions).length > 0 ? { templateOptions } : {};
}

const variablesOf = (effort: Effort): TemplateOptions =>
  effort === 'none' ? { enable_thinking: false } : { enable_thinking: true, reasoning_effort: effort };
