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
  metadata: always,
  service_tier: always,
  // How vLLM is to enforce a constraint; here there is one way.
  guided_decoding_backend: always,
  // vLLM's, at the values that say what is done anyhow.
  skip_special_tokens: only(true),
  spaces_between_special_tokens: only(true, false),
  include_stop_str_in_output: only(false),
  detokenize: only(true),
  return_token_ids: only(false),
  return_tokens_as_token_ids: only(false),
  prompt_logprobs: only(),
  length_penalty: only(1),
  use_beam_search: only(false),
  priority: only(0),
  /** As many candidates as answers leave nothing to choose from. */
  best_of: (value, body) => value === (body.n ?? 1),
};

export const CHAT_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  prompt_cache_key: always,
  prompt_cache_retention: always,
  prediction: always,
  parallel_tool_calls: always,
  store: only(false),
  echo: only(false),
  add_generation_prompt: only(true),
  continue_final_message: only(false),
  add_special_tokens: only(false),
  chat_template_kwargs: empty,
  tools: (value, body) => empty(value, body) || body.tool_choice === 'none',
  tool_choice: only('none', 'auto'),
  functions: (value, body) => empty(value, body) || body.function_call === 'none',
  function_call: only('none', 'auto'),
  modalities: textOnly,
  audio: only(),
  // The models do not reason: there is nothing to do more or less of.
  reasoning_effort: only('none', 'minimal', 'low', 'medium', 'high', 'xhigh'),
  verbosity: only('low', 'medium', 'high'),
  web_search_options: only(),
};

export const COMPLETION_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  add_special_tokens: only(true),
  suffix: only(''),
};

const REASONS: Readonly<Record<string, string>> = {
  best_of: 'every completion is returned: best_of must equal n',
  tools: 'leave them out, or send tool_choice "none"',
  functions: 'leave them out, or send function_call "none"',
  store: 'completions are not stored: store must be false',
};

/** They are why `tool_choice` and the like are there, so they are named first, whatever the order of the body. */
const CULPRITS: readonly string[] = ['tools', 'functions'];

/** Refuses the first parameter that is neither acted on (`known`) nor harmless. */
export function checkParameters(
  body: Body,
  known: readonly string[],
  parameters: Readonly<Record<string, Harmless>>,
): void {
  const given = Object.entries(body);
  for (const [name, value] of [...given.filter(([name]) => CULPRITS.includes(name)), ...given]) {
    if (known.includes(name)) continue;
    const harmless = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!harmless) refuse(name, `Unrecognized request argument supplied: ${name}.`);
    else if (value !== null && !harmless(value, body)) {
      refuse(name, `${name} is not supported: ${REASONS[name] ?? 'leave it out'}.`);
    }
  }
}
