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
  prompt_cache_options: always,
  // For OpenAI's evaluations and distillation; the answer is the same.
  store: only(true, false),
  echo: only(false),
  add_special_tokens: only(false),
  functions: (value, body) => empty(value, body) || body.function_call === 'none',
  function_call: only('none', 'auto'),
  modalities: textOnly,
  audio: only(),
  verbosity: only('low', 'medium', 'high'),
  web_search_options: only(),
};

export const COMPLETION_PARAMETERS: Readonly<Record<string, Harmless>> = {
  ...COMMON,
  add_special_tokens: only(true),
  suffix: only(''),
};

export const RESPONSE_PARAMETERS: Readonly<Record<string, Harmless>> = {
  service_tier: always,
  prompt_cache_key: always,
  prompt_cache_retention: always,
  prompt_cache_options: always,
  // Of tools that OpenAI runs itself.
  max_tool_calls: always,
  // Of a conversation that is too long nothing is left out: it is refused, which clients are told of either way.
  truncation: only('disabled', 'auto'),
  // Clients send true because it is OpenAI's default; every answer says that it was not stored.
  store: only(true, false),
  background: only(false),
  previous_response_id: only(),
  conversation: only(),
  prompt: only(),
};

/** Anthropic's. */
export const MESSAGE_PARAMETERS: Readonly<Record<string, Harmless>> = {
  service_tier: always,
  inference_geo: always,
  diagnostics: always,
  user_profile_id: always,
  workspace_id: always,
  speed: only('standard'),
  // Every prompt is cached.
  cache_control: always,
  // What a conversation that grows too long should lose: nothing is left out, it is refused.
  context_management: always,
  mcp_servers: empty,
  container: only(),
};

const REASONS: Readonly<Record<string, string>> = {
  best_of: 'every completion is returned: best_of must equal n',
  functions: 'send tools, or function_call "none"',
  function_call: 'send tool_choice',
  background: 'the request is open until its answer is there: background must be false',
  previous_response_id: 'answers are not stored: send the whole conversation as input',
  conversation: 'conversations are not stored: send the whole of it as input',
};

/**
 * Refuses the first parameter that is neither acted on (`known`) nor harmless. null is harmless everywhere: it is how several
 * clients say "not given", of all they know.
 */
export function checkParameters(
  body: Body,
  known: readonly string[],
  parameters: Readonly<Record<string, Harmless>>,
): void {
  for (const [name, value] of Object.entries(body)) {
    if (value === null || known.includes(name)) continue;
    const harmless = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!harmless) refuse(name, `Unrecognized request argument supplied: ${name}.`);
    else if (!harmless(value, body)) {
      refuse(name, `${name} is not supported: ${REASONS[name] ?? 'leave it out'}.`);
    }
  }
}
