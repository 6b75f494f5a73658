/**
 * What stands around what a constraint describes where answers are messages in channels (`lib/chat/channels.ts`), as rules of
 * XGrammar's EBNF. Thoughts may come before everything; a message that a header has begun holds no marks.
 */
import { CHANNEL, CONSTRAIN, END, MESSAGE, START } from '../chat/channels.js';
import { CALLS_MAX, FRAME, literal, type Calls } from './frames.js';

const COMMON = [
  `aril.free ::= [^${code(START)}-${code(END)}]*`,
  `aril.turn ::= ${literal(`${END}${START}assistant`)}`,
  `aril.thoughts ::= (${literal(`${CHANNEL}analysis${MESSAGE}`)} aril.free aril.turn)*`,
  `aril.type ::= "" | " " | " json" | ${literal(`${CONSTRAIN}json`)} | ${literal(` ${CONSTRAIN}json`)}`,
];

/** `inner`: the rule of what the final message must be. */
export const finalMessage = (inner: string): string[] => [`${FRAME} ::= aril.thoughts aril.final`, finalRule(inner), ...COMMON];

const finalRule = (inner: string): string => `aril.final ::= ${literal(`${CHANNEL}final`)} aril.type ${literal(MESSAGE)} ${inner}`;

export function callMessages({ functions, required, parallel, answerRule }: Calls): string[] {
  const named = functions.map(({ name, argumentsRule }) => `(${addressed(name)}) aril.type ${literal(MESSAGE)} ${argumentsRule}`);
  const rules = [`aril.call ::= ${named.join(' | ')}`, ...COMMON];
  if (answerRule !== undefined) return [`${FRAME} ::= aril.thoughts (aril.call | aril.final)`, finalRule(answerRule), ...rules];
  const more = parallel ? `(aril.turn aril.thoughts aril.call){0,${CALLS_MAX - 1}}` : '';
  if (required) return [`${FRAME} ::= aril.thoughts aril.call ${more}`, ...rules];
  return [
    `${FRAME} ::= (${parallel ? 'aril.any' : 'aril.message'} aril.turn)* aril.any`,
    'aril.any ::= aril.message | aril.call',
    `aril.message ::= ${literal(CHANNEL)} ("analysis" | "commentary" | "final") aril.type ${literal(MESSAGE)} aril.free`,
    ...rules,
  ];
}

/** Whom a call is to stands before its channel or after it. */
function addressed(name: string): string {
  const to = ` to=functions.${name}`;
  return `${literal(`${to}${CHANNEL}commentary`)} | ${literal(`${CHANNEL}commentary${to}`)}`;
}

function code(mark: string): string {
  return `\\x${mark.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
