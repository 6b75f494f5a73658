/** What models write around thoughts and calls. Text even where a tokenizer has special tokens for it, so that it can be read. */

/** Qwen's and DeepSeek's, and of most models that think. */
export const THOUGHT_BEGIN = '<think>';
export const THOUGHT_END = '</think>';
/** Gemma 4's name of the channel, between its mark and the thought. */
export const CHANNEL_NAME = 'thought';
/** Those of others: Gemma 4, Seed-OSS, Ministral 3, Apertus. In texts their tokens are told as the usual ones, so that whoever reads thoughts needs to know one form. */
const OTHER_THOUGHTS: readonly (readonly [begin: string, end: string])[] = [
  ['<|channel>', '<channel|>'],
  ['<seed:think>', '</seed:think>'],
  ['[THINK]', '[/THINK]'],
  ['<|inner_prefix|>', '<|inner_suffix|>'],
];
/** What ends a thought, in templates. */
export const THOUGHT_ENDS: readonly string[] = [THOUGHT_END, ...OTHER_THOUGHTS.map(([, end]) => end)];

/** What an added token is in a text. */
export function textOfToken(name: string): string {
  const other = OTHER_THOUGHTS.find((marks) => marks.includes(name));
  if (!other) return name;
  return name === other[0] ? THOUGHT_BEGIN : THOUGHT_END;
}

/** Hermes, Qwen, SmolLM. */
export const CALL_BEGIN = '<tool_call>';
export const CALL_END = '</tool_call>';
/** In front of calls: Mistral's, and Llama's where it does not write them bare. */
export const CALL_MARKS = ['[TOOL_CALLS]', '<|python_tag|>'];
/** Mistral's, between a name and its arguments. */
export const ARGUMENTS_MARK = '[ARGS]';
/** Gemma 4's: `call:`, a name and its arguments stand between them. */
export const GEMMA_CALL_BEGIN = '<|tool_call>';
export const GEMMA_CALL_END = '<tool_call|>';
/** On both sides of texts in them. */
const GEMMA_QUOTE = '<|"|>';
/** LFM2's: a list of calls in Python stands between them. */
export const PYTHON_CALLS_BEGIN = '<|tool_call_start|>';
export const PYTHON_CALLS_END = '<|tool_call_end|>';
/** Of Seed-OSS, MiniMax, GLM, DeepSeek and LFM2, which no constraint knows. */
const FREE_CALLS = [
  ...['<seed:tool_call>', '</seed:tool_call>', '<minimax:tool_call>', '</minimax:tool_call>'],
  ...['<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'],
  ...[PYTHON_CALLS_BEGIN, PYTHON_CALLS_END],
  ...['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>'],
];
/** Gemma 4's, where it waits for results. */
export const RESULTS_BEGIN = '<|tool_response>';

const THOUGHTS: readonly string[] = [THOUGHT_BEGIN, THOUGHT_END, ...OTHER_THOUGHTS.flat()];
const CALLS: readonly string[] = [CALL_BEGIN, CALL_END, ARGUMENTS_MARK, ...CALL_MARKS, GEMMA_CALL_BEGIN, GEMMA_CALL_END, GEMMA_QUOTE, ...FREE_CALLS];

/** Of what a mark tells; undefined: it is none. */
export function markKind(text: string): 'thoughts' | 'calls' | undefined {
  if (THOUGHTS.includes(text)) return 'thoughts';
  return CALLS.includes(text) ? 'calls' : undefined;
}
