/** What models write around thoughts and calls. Text even where a tokenizer has special tokens for it, so that it can be read. */

/** Qwen's and DeepSeek's, and of most models that think. */
export const THOUGHT_BEGIN = '<think>';
export const THOUGHT_END = '</think>';
/** Gemma 4's marks of the same: all that reads them knows them by the names of the others. */
const OTHER_NAMES: Readonly<Record<string, string>> = { '<|channel>': THOUGHT_BEGIN, '<channel|>': THOUGHT_END };
/** What ends a thought, in templates. */
export const THOUGHT_ENDS: readonly string[] = [THOUGHT_END, ...Object.keys(OTHER_NAMES).filter((name) => OTHER_NAMES[name] === THOUGHT_END)];

/** Hermes, Qwen, SmolLM. */
export const CALL_BEGIN = '<tool_call>';
export const CALL_END = '</tool_call>';
/** In front of calls: Mistral's, and Llama's where it does not write them bare. */
export const CALL_MARKS = ['[TOOL_CALLS]', '<|python_tag|>'];
/** Mistral's, between a name and its arguments. */
export const ARGUMENTS_MARK = '[ARGS]';

const THOUGHTS: readonly string[] = [THOUGHT_BEGIN, THOUGHT_END];
const CALLS: readonly string[] = [CALL_BEGIN, CALL_END, ARGUMENTS_MARK, ...CALL_MARKS];

/** Of what a mark tells; undefined: it is none. */
export function markKind(text: string): 'thoughts' | 'calls' | undefined {
  if (THOUGHTS.includes(text)) return 'thoughts';
  return CALLS.includes(text) ? 'calls' : undefined;
}
