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
const FORMAT = /^(response_format|text\.format)(\.|$)/;

/** `asked`: what the answer must be where it is no call. */
export function withTools(asked: NamedConstraint | null, offered: OfferedTools): NamedConstraint | null {
  const { duty } = offered;
  if (asked !== null && !FORMAT.test(asked.name)) {
    refuse(asked.name, `${asked.name}: expected no constraint besides tools, which could not be called under it; tool_choice "none" leaves them out.`);
  }
  if (duty === 'auto') return asked && eitherOr(asked, offered);
  const call = callSchemas(offered);
  const isList = duty === 'required' && offered.parallel;
  const schema = isList ? { type: 'array', items: call.anyCall, minItems: 1, maxItems: CALLS_MAX } : call.anyCall;
  return constraintOf('tools', { ...schema, $defs: call.definitions }, offered);
}

/** A model that must call and is not told how often can find no end; what one answer really calls is far less. */
const CALLS_MAX = 16;

/** Any object is an answer under JSON mode, and so is a call. */
function eitherOr(asked: NamedConstraint, offered: OfferedTools): NamedConstraint {
  if (asked.constraint.type !== 'jsonSchema') return asked;
  const { anyCall, definitions } = callSchemas(offered);
  const answer = asDefinition(asked.constraint.schema, ANSWER);
  const schema = { anyOf: [{ $ref: `#/$defs/${ANSWER}` }, anyCall], $defs: { ...definitions, ...answer } };
  const { parts = [], ...named } = constraintOf(asked.name, schema, offered);
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

function constraintOf(name: string, schema: Schema, { tools }: OfferedTools): NamedConstraint {
  const relaxed = tools.filter(({ strict }) => !strict).map((tool) => tool.name);
  const isRelaxed = (definition: string): boolean => relaxed.some((tool) => definition === tool || definition.startsWith(`${tool}.`));
  const relaxedDefinitions = Object.keys(schema.$defs as Schema).filter(isRelaxed);
  const constraint: Constraint = { type: 'jsonSchema', schema, ...(relaxedDefinitions.length > 0 && { relaxedDefinitions }) };
  const [issue] = constraintSchema.safeParse(constraint).error?.issues ?? [];
  if (issue) refuse(name, `${name}: ${issue.message}, of all schemas together.`);
  return { name, constraint, parts: tools.map(partOf) };
}

const partOf = ({ name, param }: OfferedTool): [string, string] => [`constraint.schema.$defs.${name}`, `${param}.parameters`];
