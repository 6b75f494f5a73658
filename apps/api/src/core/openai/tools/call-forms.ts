/** The forms of calls in which a function's name stands before its arguments. */
import { JsonArguments, type ArgumentsSource } from './call-reader.js';
import { GemmaArguments } from './gemma-arguments.js';
import { ParameterArguments, type ParameterTags } from './parameter-arguments.js';
import { PYTHON_CALLS_BEGIN, PYTHON_CALLS_END, PythonArguments } from './python-arguments.js';
import type { Schema } from './schema-definition.js';

export interface CallForm {
  /** What stands before and after the function's name; a space stands for any spaces. */
  heads: readonly (readonly [before: string, after: string])[];
  /** What follows, which is the arguments' already. */
  next: readonly string[];
  argumentsOf: (schema: Schema | undefined) => ArgumentsSource;
  /** How another call begins behind one, up to the mark or bracket that closes them all. */
  others?: CallForm;
}

const json = (...heads: CallForm['heads']): CallForm => ({ heads, next: ['{'], argumentsOf: () => new JsonArguments() });

const tagged = (tags: ParameterTags, ...heads: CallForm['heads']): CallForm => ({
  heads,
  next: [tags.key, ...tags.ends].map((tag) => ` ${tag}`),
  argumentsOf: (schema) => new ParameterArguments(tags, schema),
});

/** Newer ones of Mistral. Its mark may be there, or be hidden. */
export const NAMED = json([' ', ''], [' ', '[ARGS]']);

/** Gemma 4. The engine's constraint knows it. */
export const GEMMA: CallForm = { heads: [['<|tool_call> call:', '']], next: ['{'], argumentsOf: () => new GemmaArguments() };

const FUNCTION_TAGS: ParameterTags = { key: '<parameter=', keyEnd: '>', value: '', valueEnds: ['</parameter>'], ends: ['</function>', '</tool_call>', '</seed:tool_call>'] };

/** Qwen3-Coder, Qwen3.5, Nemotron 3; at times without the mark. Values stand on lines of their own. */
const QWEN_CODER = tagged({ ...FUNCTION_TAGS, value: '\n', valueEnds: ['\n</parameter>', '</parameter>'] }, ['<tool_call> <function=', '>'], ['<function=', '>']);

const SEED = tagged(FUNCTION_TAGS, ['<seed:tool_call> <function=', '>']);

const GLM = tagged({ key: '<arg_key>', keyEnd: '</arg_key>', value: ' <arg_value>', valueEnds: ['</arg_value>'], ends: ['</tool_call>'] }, ['<tool_call> ', '']);

/** Several calls may stand in one mark. */
const MINIMAX = tagged({ key: '<parameter name="', keyEnd: '">', value: '', valueEnds: ['</parameter>'], ends: ['</invoke>', '</minimax:tool_call>'] }, ['<minimax:tool_call> <invoke name="', '">'], ['<invoke name="', '">']);

/** V3 and R1 name a type and fence the arguments, V3.1 does neither. */
const DEEPSEEK = json(
  ...['<｜tool▁calls▁begin｜> <｜tool▁call▁begin｜>', '<｜tool▁call▁begin｜>'].flatMap((begin): CallForm['heads'] => [
    [`${begin}function<｜tool▁sep｜>`, ' ```json '],
    [begin, '<｜tool▁sep｜> '],
  ]),
);

/** LFM2, several in a list. */
const PYTHON: Omit<CallForm, 'heads'> = { next: [' ('], argumentsOf: (schema) => new PythonArguments(schema) };
const LFM: CallForm = { ...PYTHON, heads: [[`${PYTHON_CALLS_BEGIN} [ `, ''], [`${PYTHON_CALLS_BEGIN} `, '']], others: { ...PYTHON, heads: [[' ', '']] } };

/** Those that no constraint knows. */
export const FREE_FORMS: readonly CallForm[] = [QWEN_CODER, SEED, GLM, MINIMAX, DEEPSEEK, LFM];
/** What they begin with, besides `<tool_call>`. */
export const FREE_OPENINGS = ['<function=', '<seed:tool_call>', '<minimax:tool_call>', '<invoke name="', '<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>', PYTHON_CALLS_BEGIN];
/** Of these, what an object may follow: LFM2 calls in JSON where it is asked to. */
export const FREE_JSON_OPENINGS = [PYTHON_CALLS_BEGIN];
/** What may follow a call of theirs. */
export const FREE_CLOSINGS = ['</function>', '</seed:tool_call>', '</minimax:tool_call>', '```<｜tool▁call▁end｜>', '<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>', PYTHON_CALLS_END];
