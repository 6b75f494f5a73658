/**
 * Constraints that make the model call what it must, and such that leave it the choice between a call and an answer of a
 * given schema. A call is written as `{"name": …, "arguments": …}`, which `AnswerReader` reads.
 */
import { constraintSchema, type Constraint } from '@aril/contracts';
import { refuse } from '../openai-error.js';
import type { NamedConstraint } from '../openai-constraint.js';
import type { OfferedTool, OfferedTools } from './offered-tools.js';
import { asDefinition, type Schema } from './schema-definition.js';

/** What an answer must be where it is one. Other constraints hold for whatever the model writes. */
const FORMAT = /^(response_format|text\.format|output_config\.format|output_format)(\.|$)/;

/** `asked`: what the answer must be where it is no call. */
export function withTools(asked: NamedConstraint | null, offered: OfferedTools): NamedConstraint | null {
  const { duty } = offered;
  if (asked !== null && !FORMAT.test(asked.name)) {
    refuse(asked.name, `${asked.name}: expected no constraint besides tools, which could not be called under it; tool_choice "none" leaves them out.`);
  }
  if (duty === 'auto' && asked) return eitherOr(asked, offered);
  const { anyCall, definitions: $defs } = callSchemas(offered);
  if (duty === 'auto') return offered.tools.some(({ strict }) => strict) ? ofCalls($defs, offered) : null;
  return duty === 'required' && offered.parallel ? ofCalls($defs, offered) : ofSchema('tools', { ...anyCall, $defs }, offered);
}

/** Calls in the forms that the model knows, where it is not one call that must be made. */
function ofCalls($defs: Schema, offered: OfferedTools): NamedConstraint {
  const { tools, duty, parallel } = offered;
  return constraintOf('tools', { type: 'calls', schema: { $defs }, functions: tools.map(({ name }) => name), required: duty === 'required', parallel }, offered);
}

/** Any object is an answer under JSON mode, and so is a call. */
function eitherOr(asked: NamedConstraint, offered: OfferedTools): NamedConstraint {
  if (asked.constraint.type !== 'jsonSchema') return asked;
  const { anyCall, definitions } = callSchemas(offered);
  const { relaxed = false } = asked.constraint;
  const answer = asDefinition(asked.constraint.schema, ANSWER);
  const schema = { anyOf: [{ $ref: `#/$defs/${ANSWER}` }, anyCall], $defs: { ...definitions, ...answer } };
  const { parts = [], ...named } = ofSchema(asked.name, schema, offered, relaxed ? [ANSWER] : []);
  return { ...named, parts: [...parts, [`constraint.schema.$defs.${ANSWER}`, asked.name]] };
}

/** No function can be called that: a dot is in no function's name. */
const ANSWER = 'answer.schema';

function callSchemas({ tools }: OfferedTools): { anyCall: Schema; definitions: Schema } {
  const calls = tools.map(({ name }) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: { $ref: `#/$defs/${name}` } },
    required: ['name', 'arguments'],
  }));
  const [only] = calls;
  const definitions = tools.map(({ name, parameters }) => asDefinition(ofObject(parameters ?? NO_ARGUMENTS), name));
  return { anyCall: only && calls.length === 1 ? only : { anyOf: calls }, definitions: Object.fromEntries(definitions.flatMap(Object.entries)) };
}

/** Of a function that takes none. */
const NO_ARGUMENTS = { type: 'object', additionalProperties: false };

/** One of these says what the value is. */
const SAYING = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'const', 'enum'];

/** A schema that does not say so would let any other value be the arguments. */
const ofObject = (schema: Schema): Schema => (SAYING.some((key) => schema[key] !== undefined) ? schema : { type: 'object', ...schema });

const ofSchema = (name: string, schema: WithDefinitions, offered: OfferedTools, relaxed: readonly string[] = []): NamedConstraint =>
  constraintOf(name, { type: 'jsonSchema', schema }, offered, relaxed);

type WithDefinitions = Schema & { $defs: Schema };
type OfSchemas = Extract<Constraint, { type: 'jsonSchema' | 'calls' }> & { schema: WithDefinitions };

/** `relaxed`: definitions of which no more is kept than can be, besides those of tools that are not strict. */
function constraintOf(name: string, asked: OfSchemas, { tools }: OfferedTools, relaxed: readonly string[] = []): NamedConstraint {
  const lax = [...tools.filter(({ strict }) => !strict).map((tool) => tool.name), ...relaxed];
  const isRelaxed = (definition: string): boolean => lax.some((one) => definition === one || definition.startsWith(`${one}.`));
  const relaxedDefinitions = Object.keys(asked.schema.$defs).filter(isRelaxed);
  const constraint: Constraint = { ...asked, ...(relaxedDefinitions.length > 0 && { relaxedDefinitions }) };
  const [issue] = constraintSchema.safeParse(constraint).error?.issues ?? [];
  if (issue) refuse(name, `${name}: ${issue.message}, of all schemas together.`);
  return { name, constraint, parts: tools.map(partOf) };
}

const partOf = ({ name, schemaParam }: OfferedTool): [string, string] => [`constraint.schema.$defs.${name}`, schemaParam];
