/** From a request's constraint to what a grammar thread compiles. */
import { EngineError } from '../engine-error.js';
import type { Constraint, ThoughtPlace } from '../types.js';
import { callMessages, finalMessage } from './channel-frames.js';
import { afterThought, callRules, FRAME, GAP, letters, type Calls } from './frames.js';
import { narrowSchema, type Relaxation } from './json-schema.js';
import type { GrammarSource } from './protocol.js';
import { findWrongClass } from './wrong-class.js';

/** Longer ones take more memory to compile than a request is worth. */
const SOURCE_LENGTH_MAX = 1 << 18;

/**
 * Throws EngineError `constraint_invalid` for what can be told without compiling. `thought`: where there may be one before
 * what the constraint is about.
 */
export function grammarSource(constraint: Constraint, thought?: ThoughtPlace): GrammarSource {
  const source = withThought(convert(constraint), thought);
  if (source.text.length <= SOURCE_LENGTH_MAX) return source;
  throw new EngineError(
    'constraint_invalid',
    `constraint: found ${source.text.length} characters; expected at most ${SOURCE_LENGTH_MAX}.`,
  );
}

interface Converted extends Pick<GrammarSource, 'kind' | 'text'> {
  /** It is about calls, and has a frame of its own. */
  calls?: Calls;
}

function withThought({ calls, ...source }: Converted, thought: ThoughtPlace | undefined): GrammarSource {
  if (!calls && !thought) return source;
  if (thought === 'channels') return { ...source, frame: (calls ? callMessages(calls) : finalMessage('root')).join('\n') };
  const { start, rules } = calls ? callRules(calls) : { start: 'root', rules: [] };
  const whole = thought ? afterThought(thought, start) : [`${FRAME} ::= ${start}`];
  return { ...source, frame: [...whole, ...rules, GAP].join('\n') };
}

function convert(constraint: Constraint): Converted {
  switch (constraint.type) {
    case 'json':
      return { kind: 'jsonSchema', text: '{"type":"object"}' };
    case 'jsonSchema':
      return { kind: 'jsonSchema', text: JSON.stringify(narrowSchema(parsed(constraint.schema), relaxation(constraint))) };
    case 'calls':
      return convertCalls(constraint);
    case 'regex':
      return listed('regex', constraint.pattern, 'pattern');
    case 'grammar':
      return listed('grammar', constraint.grammar, 'grammar');
  }
}

const relaxation = ({ relaxed = false, relaxedDefinitions }: Extract<Constraint, { type: 'jsonSchema' }>): Relaxation => ({ whole: relaxed, definitions: relaxedDefinitions });

/** XGrammar calls rules after definitions, but drops digits of their names: the functions' have others beside their own. */
function convertCalls({ schema, functions, relaxedDefinitions, required, parallel, answer }: Extract<Constraint, { type: 'calls' }>): Converted {
  const described = answer === undefined ? functions : [...functions, answer];
  const aliases = described.map((_name, index) => `.${letters(index)}`);
  const definitions = described.map((name, index) => [aliases[index], { $ref: `#/$defs/${name}` }]);
  const whole = {
    anyOf: aliases.map((alias) => ({ $ref: `#/$defs/${alias}` })),
    $defs: { ...(schema.$defs as object | undefined), ...Object.fromEntries(definitions) },
  };
  const ruleOf = (index: number): string => `defs_.${letters(index)}`;
  const calls: Calls = {
    functions: functions.map((name, index) => ({ name, argumentsRule: ruleOf(index) })),
    required,
    parallel,
    ...(answer !== undefined && { answerRule: ruleOf(functions.length) }),
  };
  return { kind: 'jsonSchema', text: JSON.stringify(narrowSchema(whole, { whole: false, definitions: relaxedDefinitions })), calls };
}

function listed(kind: 'regex' | 'grammar', text: string, field: string): GrammarSource {
  const wrong = findWrongClass(kind, text);
  if (wrong === undefined) return { kind, text };
  throw new EngineError(
    'constraint_invalid',
    `constraint.${field}: found ${wrong}; expected classes of ASCII characters, and a choice like (ä|ö) for others.`,
  );
}

function parsed(schema: object | string): unknown {
  if (typeof schema !== 'string') return schema;
  try {
    return JSON.parse(schema);
  } catch (error) {
    throw new EngineError('constraint_invalid', `constraint.schema is not JSON: ${(error as Error).message}`);
  }
}
