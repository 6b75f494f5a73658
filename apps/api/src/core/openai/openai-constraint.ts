/** The ways in which clients ask for constrained output: OpenAI's `response_format` and vLLM's fields. */
import { CONSTRAINT_CHARS_MAX, constraintSchema, constraintSourceSchema, jsonSchemaSchema, type Constraint } from '@aril/contracts';
import { z } from 'zod';
import { parseJson } from '../../base/parse-json.js';
import { refuse } from './openai-error.js';
import { optional } from './optional.js';

/** Some clients send the schema as an object, some as its JSON text. What is too long is not worth a look. */
const schemaOrText = z.preprocess(
  (value) => (typeof value === 'string' && value.length <= CONSTRAINT_CHARS_MAX ? parseJson(value) : value),
  jsonSchemaSchema,
);
const choices = z.array(z.string().min(1).max(1_024)).min(1).max(256);

export const namedSchema = z.object({
  name: z.string().regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, "_" or "-"'),
  description: optional(z.string()),
  schema: optional(jsonSchemaSchema),
  /** A schema is always enforced; without this, what cannot be kept of it is left out, and not refused. */
  strict: optional(z.boolean()),
});

const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: namedSchema }),
]);

const structuredOutputs = z.strictObject({
  json: optional(schemaOrText),
  json_object: optional(z.boolean()),
  regex: optional(constraintSourceSchema),
  choice: optional(choices),
  grammar: optional(constraintSourceSchema),
});

export const constraintFields = {
  response_format: optional(responseFormat),
  guided_json: optional(schemaOrText),
  guided_regex: optional(constraintSourceSchema),
  guided_choice: optional(choices),
  guided_grammar: optional(constraintSourceSchema),
  structured_outputs: optional(structuredOutputs),
};
type ConstraintFields = z.output<z.ZodObject<typeof constraintFields>>;

/** A constraint and the parameter it came from, which its errors name. */
export interface NamedConstraint {
  name: string;
  constraint: Constraint;
  /** Of what was put together from several parameters: places in the engine's words and whose they are. */
  parts?: readonly (readonly [string, string])[];
}

/** null: the text is free. Of two constraints neither could be left out silently, so they are refused together. */
export function toConstraint(body: ConstraintFields): NamedConstraint | null {
  const outputs = body.structured_outputs;
  const given: [string, Constraint | null][] = [
    ofResponseFormat(body.response_format),
    ['guided_json', ofSchema(body.guided_json)],
    ['guided_regex', ofPattern(body.guided_regex)],
    ['guided_choice', ofChoices(body.guided_choice)],
    ['guided_grammar', ofGrammar(body.guided_grammar)],
    ['structured_outputs.json', ofSchema(outputs?.json)],
    ['structured_outputs.json_object', outputs?.json_object ? { type: 'json' } : null],
    ['structured_outputs.regex', ofPattern(outputs?.regex)],
    ['structured_outputs.choice', ofChoices(outputs?.choice)],
    ['structured_outputs.grammar', ofGrammar(outputs?.grammar)],
  ];
  const [first, second] = given.filter((entry): entry is [string, Constraint] => entry[1] !== null);
  if (first && second) refuse(second[0], `${second[0]}: expected one constraint per request, found ${first[0]} besides it.`);
  return first ? checked(...first) : null;
}

/** Choices that are short one by one can make a pattern that no runner takes. */
function checked(name: string, constraint: Constraint): NamedConstraint {
  if (constraintSchema.safeParse(constraint).success) return { name, constraint };
  const expected = `at most ${CONSTRAINT_CHARS_MAX} characters and no NUL character`;
  if (constraint.type !== 'regex') return refuse(name, `${name}: expected ${expected}.`);
  return refuse(name, `${name}: expected ${expected} as a pattern, found one of ${constraint.pattern.length}.`);
}

function ofResponseFormat(format: ConstraintFields['response_format']): [string, Constraint | null] {
  const name = 'response_format';
  if (!format || format.type === 'text') return [name, null];
  if (format.type === 'json_object' || !format.json_schema.schema) return [name, { type: 'json' }];
  return [`${name}.json_schema.schema`, schemaConstraint(format.json_schema)];
}

/** As OpenAI documents `strict`: absent means that it need not be kept wholly. */
export const schemaConstraint = ({ schema = {}, strict }: Pick<z.output<typeof namedSchema>, 'schema' | 'strict'>): Constraint => ({
  type: 'jsonSchema',
  schema,
  ...(strict !== true && { relaxed: true }),
});

const ofSchema = (schema: Record<string, unknown> | undefined): Constraint | null => (schema ? { type: 'jsonSchema', schema } : null);
const ofPattern = (pattern: string | undefined): Constraint | null => (pattern ? { type: 'regex', pattern } : null);
const ofGrammar = (grammar: string | undefined): Constraint | null => (grammar ? { type: 'grammar', grammar } : null);
const ofChoices = (texts: readonly string[] | undefined): Constraint | null =>
  ofPattern(texts?.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'));
