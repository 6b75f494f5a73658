/** GraphQL's `ConstraintInput` → `Constraint`. */
import { ArilError, CONSTRAINT_CHARS_MAX, constraintSourceSchema, jsonSchemaSchema, type Constraint } from '@aril/contracts';
import { z } from 'zod';
import { parseJson } from '../../base/parse-json.js';

export const constraintInputSchema = z.object({
  json: z.literal(true, 'expected true, or the field to be left out').nullish(),
  jsonSchema: z.string().max(CONSTRAINT_CHARS_MAX).transform(parseSchema).nullish(),
  regex: constraintSourceSchema.nullish(),
  grammar: constraintSourceSchema.nullish(),
});

export function toConstraint(input: z.output<typeof constraintInputSchema>): Constraint {
  const { json, jsonSchema, regex, grammar } = input;
  const given: Constraint[] = [
    ...(json ? [{ type: 'json' as const }] : []),
    ...(jsonSchema ? [{ type: 'jsonSchema' as const, schema: jsonSchema }] : []),
    ...(typeof regex === 'string' ? [{ type: 'regex' as const, pattern: regex }] : []),
    ...(typeof grammar === 'string' ? [{ type: 'grammar' as const, grammar }] : []),
  ];
  const [only] = given;
  if (only && given.length === 1) return only;
  const found = given.length === 0 ? 'none' : `${given.length} of them`;
  throw new ArilError('BAD_INPUT', `constraint: expected exactly one of json, jsonSchema, regex and grammar, found ${found}`, 'constraint');
}

function parseSchema(text: string, context: z.RefinementCtx): Record<string, unknown> {
  const json = parseJson(text);
  const parsed = jsonSchemaSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const message = json === undefined ? 'expected JSON' : (parsed.error.issues[0]?.message ?? 'expected a JSON Schema');
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
