/**
 * Parameters of the OpenAI API that Aril does not act on. Those that would change the answer are refused by name,
 * unless they hold the value that changes nothing; those that only label or route the request are accepted. A caller
 * is never given an answer that silently ignored what was asked.
 */
import { refuse } from './openai-error.js';

type Harmless = (value: unknown) => boolean;

const always: Harmless = () => true;
const only =
  (...values: unknown[]): Harmless =>
  (value) =>
    values.includes(value);
const empty: Harmless = (value) =>
  value !== null && typeof value === 'object' && Object.keys(value).length === 0;
const plainText: Harmless = (value) =>
  value !== null && typeof value === 'object' && Reflect.get(value, 'type') === 'text';
const textOnly: Harmless = (value) => Array.isArray(value) && value.every((item) => item === 'text');

/** null is accepted everywhere: it is how several clients say "not given". */
const COMMON: Readonly<Record<string, Harmless>> = {
  user: always,
  metadata: always,
  service_tier: always,
  frequency_penalty: only(0),
  presence_penalty: only(0),
  repetition_penalty: only(1),
  logit_bias: empty,
  n: only(1),
};

export const CHAT_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  safety_identifier: always,
  prompt_cache_key: always,
  prompt_cache_retention: always,
  prediction: always,
  parallel_tool_calls: always,
  store: only(false),
  logprobs: only(false),
  top_logprobs: only(0),
  tools: empty,
  tool_choice: only('none', 'auto'),
  functions: empty,
  function_call: only('none', 'auto'),
  response_format: plainText,
  modalities: textOnly,
  audio: only(),
  reasoning_effort: only('none'),
  verbosity: only('medium'),
  web_search_options: only(),
};

export const COMPLETION_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  best_of: only(1),
  echo: only(false),
  logprobs: only(),
  suffix: only(''),
};

const REASONS: Readonly<Record<string, string>> = {
  n: 'one completion is generated per request: n must be 1',
  best_of: 'one completion is generated per request: best_of must be 1',
  store: 'completions are not stored: store must be false',
};

/** Refuses the first parameter that is neither acted on (`known`) nor harmless. */
export function checkParameters(
  body: Readonly<Record<string, unknown>>,
  known: readonly string[],
  parameters: Readonly<Record<string, Harmless>>,
): void {
  for (const [name, value] of Object.entries(body)) {
    if (known.includes(name)) continue;
    const harmless = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!harmless) refuse(name, `Unrecognized request argument supplied: ${name}.`);
    else if (value !== null && !harmless(value)) {
      refuse(name, `${name} is not supported: ${REASONS[name] ?? 'leave it out'}.`);
    }
  }
}
