/**
 * Constraints that make the model call what it must, and such that leave it the choice between a call and an answer of a
 * given schema. Calls are written in the forms that the model has for them, and read by `AnswerReader` or, of models that
 * answer in channels, `AddressedCalls`.
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
  const { duty, tools, parallel } = offered;
  if (asked !== null && !FORMAT.test(asked.name)) {
    refuse(asked.name, `${asked.name}: expected no constraint besides tools, which could not be called under it; tool_choice "none" leaves them out.`);
  }
  if (duty !== 'auto') return ofCalls('tools', offered, { required: true, parallel: parallel && duty === 'required' });
  if (asked) return eitherOr(asked, offered);
  return tools.some(({ strict }) => strict) ? ofCalls('tools', offered, { required: false, parallel }) : null;
}

/** Under JSON mode any object is an answer. */
function eitherOr({ name, constraint: asked }: NamedConstraint, offered: OfferedTools): NamedConstraint {
  const { schema = ANY_OBJECT, relaxed = false } = asked.type === 'jsonSchema' ? asked : {};
  const { parts = [], ...named } = ofCalls(name, offered, { required: false, parallel: false, answer: ANSWER }, asDefinition(schema, ANSWER), relaxed ? [ANSWER] : []);
  return { ...named, parts: [...parts, [`constraint.schema.$defs.${ANSWER}`, name]] };
}

const ANY_OBJECT = { type: 'object' };

/** No function can be called that: a dot is in no function's name. */
const ANSWER = 'answer.schema';

/** Of a function that takes none. */
const NO_ARGUMENTS = { type: 'object', additionalProperties: false };

/** One of these says what the value is. */
const SAYING = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'const', 'enum'];

/** A schema that does not say so would let any other value be the arguments. */
const ofObject = (schema: Schema): Schema => (SAYING.some((key) => schema[key] !== undefined) ? schema : { type: 'object', ...schema });

type Calls = Extract<Constraint, { type: 'calls' }>;

/** In the forms that the model knows. `relaxed`: definitions of which no more is kept than can be, besides those of tools that are not strict. */
function ofCalls(name: string, { tools }: OfferedTools, duty: Pick<Calls, 'required' | 'parallel' | 'answer'>, others: Schema = {}, relaxed: readonly string[] = []): NamedConstraint {
  const definitions = tools.map((tool) => asDefinition(ofObject(tool.parameters ?? NO_ARGUMENTS), tool.name));
  const $defs = { ...Object.fromEntries(definitions.flatMap(Object.entries)), ...others };
  const lax = [...tools.filter(({ strict }) => !strict).map((tool) => tool.name), ...relaxed];
  const isRelaxed = (definition: string): boolean => lax.some((one) => definition === one || definition.startsWith(`${one}.`));
  const relaxedDefinitions = Object.keys($defs).filter(isRelaxed);
  const constraint: Calls = { type: 'calls', schema: { $defs }, functions: tools.map((tool) => tool.name), ...duty, ...(relaxedDefinitions.length > 0 && { relaxedDefinitions }) };
  const [issue] = constraintSchema.safeParse(constraint).error?.issues ?? [];
  if (issue) refuse(name, `${name}: ${issue.message}, of all schemas together.`);
  return { name, constraint, parts: tools.map(partOf) };
}

const partOf = ({ name, schemaParam }: OfferedTool): [string, string] => [`constraint.schema.$defs.${name}`, schemaParam];
