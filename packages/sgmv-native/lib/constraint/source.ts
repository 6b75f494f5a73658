/** From a request's constraint to what a grammar thread compiles. */
import { EngineError } from '../engine-error.js';
import type { Constraint } from '../types.js';
import { narrowSchema } from './json-schema.js';
import type { GrammarSource } from './protocol.js';
import { findWrongClass } from './wrong-class.js';

/** Longer ones take more memory to compile than a request is worth. */
const SOURCE_LENGTH_MAX = 1 << 18;

/** Throws EngineError `constraint_invalid` for what can be told without compiling. */
export function grammarSource(constraint: Constraint): GrammarSource {
  const source = convert(constraint);
  if (source.text.length <= SOURCE_LENGTH_MAX) return source;
  throw new EngineError(
    'constraint_invalid',
    `constraint: found ${source.text.length} characters; expected at most ${SOURCE_LENGTH_MAX}.`,
  );
}

function convert(constraint: Constraint): GrammarSource {
  switch (constraint.type) {
    case 'json':
      return { kind: 'jsonSchema', text: '{"type":"object"}' };
    case 'jsonSchema':
      return { kind: 'jsonSchema', text: JSON.stringify(narrowSchema(parsed(constraint.schema), constraint.relaxedDefinitions)) };
    case 'regex':
      return listed('regex', constraint.pattern, 'pattern');
    case 'grammar':
      return listed('grammar', constraint.grammar, 'grammar');
  }
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
