/**
 * Parameters of the OpenAI API that Aril does not act on. Those that would change the answer are refused by name,
 * unless they hold the value that changes nothing; those that only label or route the request are accepted. A caller
 * is never given an answer that silently ignored what was asked.
 */
import { refuse } from './openai-error.js';

type Body = Readonly<Record<string, unknown>>;
type Harmless = (value: unknown, body: Body) => boolean;

const always: Harmless = () => true;
const only =
  (...values: unknown[]): Harmless =>
  (value) =>
    values.includes(value);
const empty: Harmless = (value) =>
  value !== null && typeof value === 'object' && Object.keys(value).length === 0;
const textOnly: Harmless = (value) => Array.isArray(value) && value.every((item) => item === 'text');

/** null is accepted everywhere: it is how several clients say "not given". */
const COMMON: Readonly<Record<string, Harmless>> = {
  user: always,
  metadata: always,
  service_tier: always,
  // How vLLM is to enforce a constraint; here there is one way.
  guided_decoding_backend: always,
};

export const CHAT_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  safety_identifier: always,
  prompt_cache_key: always,
  prompt_cache_retention: always,
  prediction: always,
  parallel_tool_calls: always,
  store: only(false),
  tools: empty,
  tool_choice: only('none', 'auto'),
  functions: empty,
  function_call: only('none', 'auto'),
  modalities: textOnly,
  audio: only(),
  reasoning_effort: only('none'),
  verbosity: only('medium'),
  web_search_options: only(),
};

export const COMPLETION_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  /** As many candidates as answers leave nothing to choose from. */
  best_of: (value, body) => value === (body.n ?? 1),
  suffix: only(''),
};

const REASONS: Readonly<Record<string, string>> = {
  best_of: 'every completion is returned: best_of must equal n',
  store: 'completions are not stored: store must be false',
};

/** Refuses the first parameter that is neither acted on (`known`) nor harmless. */
export function checkParameters(
  body: Body,
  known: readonly string[],
  parameters: Readonly<Record<string, Harmless>>,
): void {
  for (const [name, value] of Object.entries(body)) {
    if (known.includes(name)) continue;
    const harmless = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!harmless) refuse(name, `Unrecognized request argument supplied: ${name}.`);
    else if (value !== null && !harmless(value, body)) {
      refuse(name, `${name} is not supported: ${REASONS[name] ?? 'leave it out'}.`);
    }
  }
}
