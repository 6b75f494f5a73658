/**
 * What stands around what a constraint describes, as rules of XGrammar's EBNF: a thought before it, and the forms in which
 * models write calls. What the constraint itself describes is the rule `root`.
 */
import { ARGUMENTS_MARK, CALL_BEGIN, CALL_END, CALL_MARKS, GEMMA_CALL_BEGIN, GEMMA_CALL_END, THOUGHT_BEGIN, THOUGHT_END } from '../chat/marks.js';
import type { ThoughtPlace } from '../types.js';

/** The rule to begin with. Nobody else's rules have such names. */
export const FRAME = 'aril.frame';
const CALLS = 'aril.calls';

/** A model that must call and is not told how often can find no end; what one answer really calls is far less. */
export const CALLS_MAX = 16;

/** As EBNF writes it. */
export const literal = (text: string): string => JSON.stringify(text);

/** `inner`: the rule of what follows the thought, which no constraint holds for but that it ends. */
export function afterThought(place: Exclude<ThoughtPlace, 'channels'>, inner: string): string[] {
  const whole = `aril.thought aril.gap ${inner}`;
  return [
    `${FRAME} ::= ${place === 'open' ? whole : `${inner} | ${literal(THOUGHT_BEGIN)} ${whole}`}`,
    `aril.thought ::= TagDispatch(stop_eos=false, stop_str=(${literal(THOUGHT_END)}), loop_after_dispatch=false)`,
  ];
}

export interface Calls {
  functions: readonly { name: string; argumentsRule: string }[];
  /** Whether there is nothing but calls, and at least one; else all is free but what a mark of a call has begun. */
  required: boolean;
  parallel: boolean;
  /** Of what an answer must be that is no call; absent: nothing says so. */
  answerRule?: string;
}

/**
 * As the models write them: in tags, in a list, or behind a mark. Which of these is left to the model. The arguments are JSON
 * in all of them, in Gemma's too, which reads like it.
 */
export function callRules(calls: Calls): { start: string; rules: string[] } {
  const { functions, required, parallel, answerRule } = calls;
  const choice = (each: (name: string, rule: string) => string): string => functions.map(({ name, argumentsRule }) => each(name, argumentsRule)).join(' | ');
  const rules = [
    `${CALLS} ::= ${answerRule === undefined ? freeOrCalls(calls) : `${answerRule} | aril.call`}`,
    `aril.call ::= "{\\"name\\": " aril.named "}"`,
    `aril.named ::= ${choice((name, rule) => `${literal(JSON.stringify(name))} aril.key ${rule}`)}`,
    `aril.key ::= ", \\"arguments\\": " | ", \\"parameters\\": "`,
    `aril.bare ::= ${choice((name, rule) => `${literal(name)} aril.mark ${rule}`)}`,
    `aril.mark ::= "" | ${literal(ARGUMENTS_MARK)}`,
    ...(required || answerRule !== undefined ? [] : functions.map(({ argumentsRule }, index) => `${untagged(index)} ::= "," aril.space "\\"" ("arguments" | "parameters") "\\":" ("" | " ") ${argumentsRule} aril.space "}"`)),
    'aril.space ::= "" | " " | "\\n" | "\\n  " | "\\n    "',
    `aril.tagged ::= aril.gap aril.call aril.gap ${literal(CALL_END)}`,
    `aril.gemma ::= "call:" (${choice((name, rule) => `${literal(name)} ${rule}`)}) ${literal(GEMMA_CALL_END)}`,
    `aril.listed ::= "[" aril.call ${repeated('", " aril.call', parallel)} "]"`,
    `aril.marked ::= aril.gap aril.listed | aril.gap aril.call ${repeated('"; " aril.call', parallel)} | aril.gap aril.bare`,
  ];
  return { start: CALLS, rules };
}

const freeOrCalls = ({ functions, required, parallel }: Calls): string => (required ? onlyCalls(parallel) : dispatched(functions, parallel));

/** A name of letters alone. */
export const letters = (index: number): string => [...index.toString(26)].map((digit) => String.fromCodePoint(97 + Number.parseInt(digit, 26))).join('');

/** Two newlines are what most templates write after a thought. */
export const GAP = 'aril.gap ::= "" | " " | "\\n" | "\\n\\n"';

const repeated = (text: string, parallel: boolean): string => (parallel ? `(${text}){0,${CALLS_MAX - 1}}` : '');

/** How models begin a call without a mark, as Llama does. The API takes no other beginning for a call of a strict function. */
const OPENINGS = ['{"name": ', '{"name":', '{ "name": ', '{ "name":', '{  "name": ', '{\n  "name": ', '{\n    "name": '];

/** What follows the name. XGrammar drops digits of some names of rules. */
const untagged = (index: number): string => `aril.untagged.${letters(index)}`;

/** An object that begins as a call does is one only where it names a function: other JSON stays free. */
function dispatched(functions: Calls['functions'], parallel: boolean): string {
  const unmarked = functions.flatMap(({ name }, index) => OPENINGS.map((opening) => [`${opening}${JSON.stringify(name)}`, untagged(index)]));
  const tags = [[CALL_BEGIN, 'aril.tagged'], [GEMMA_CALL_BEGIN, 'aril.gemma'], ...CALL_MARKS.map((mark) => [mark, 'aril.marked']), ...unmarked];
  const list = tags.map(([mark = '', rule]) => `(${literal(mark)}, ${rule})`).join(', ');
  return `TagDispatch(${list}, stop_eos=true, stop_str=(), loop_after_dispatch=${parallel})`;
}

function onlyCalls(parallel: boolean): string {
  const tagged = `${literal(CALL_BEGIN)} aril.tagged`;
  const gemma = `${literal(GEMMA_CALL_BEGIN)} aril.gemma`;
  const marked = CALL_MARKS.map((mark) => `${literal(mark)} aril.marked`);
  return [`${tagged} ${repeated(`aril.gap ${tagged}`, parallel)}`, `${gemma} ${repeated(gemma, parallel)}`, `aril.call ${repeated('"\\n" aril.call', parallel)}`, 'aril.listed', ...marked].join(' | ');
}
