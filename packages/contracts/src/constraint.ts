import { z } from 'zod';
import { textWithoutNul } from './text.js';

/** Of a schema's JSON, a pattern or a grammar: compiling one takes time that grows with it. */
export const CONSTRAINT_CHARS_MAX = 65_536;
/** Compilers recurse into a schema, and so does writing it as JSON. */
export const SCHEMA_DEPTH_MAX = 64;

/** A pattern or a grammar. */
export const constraintSourceSchema = textWithoutNul.min(1).max(CONSTRAINT_CHARS_MAX);

export const jsonSchemaSchema = z
  .record(z.string(), z.unknown())
  .refine((schema) => isShallow(schema), `expected at most ${SCHEMA_DEPTH_MAX} levels`)
  .refine((schema) => isShallow(schema) && JSON.stringify(schema).length <= CONSTRAINT_CHARS_MAX, {
    message: `expected at most ${CONSTRAINT_CHARS_MAX} characters of JSON`,
  });

const relaxedDefinitions = z.array(z.string()).optional();

/** What every token of an answer must keep possible: the text as a whole matches, but for a thought before it. The engine compiles and enforces it. */
export const constraintSchema = z.discriminatedUnion('type', [
  /** A JSON object, whatever is in it. */
  z.object({ type: z.literal('json') }),
  z.object({
    type: z.literal('jsonSchema'),
    schema: jsonSchemaSchema,
    /** Whether what the engine cannot keep is left out, and not refused. */
    relaxed: z.boolean().optional(),
    /** Names in `$defs` of which that holds where it does not of the whole. */
    relaxedDefinitions,
  }),
  /** Calls of functions as the model writes them; arguments are what `$defs` has under the function's name. */
  z.object({
    type: z.literal('calls'),
    schema: jsonSchemaSchema,
    functions: z.array(z.string()).min(1),
    relaxedDefinitions,
    /** Whether there must be one, and nothing else; if not, all but calls is free. */
    required: z.boolean(),
    /** Whether there may be several. */
    parallel: z.boolean(),
    /** The name in `$defs` of what an answer must be that is no call; there is one call then at most. */
    answer: z.string().optional(),
  }),
  z.object({ type: z.literal('regex'), pattern: constraintSourceSchema }),
  /** XGrammar's EBNF, much like llama.cpp's GBNF; the rule `root` is the whole. */
  z.object({ type: z.literal('grammar'), grammar: constraintSourceSchema }),
]);
export type Constraint = z.infer<typeof constraintSchema>;

/** At most `SCHEMA_DEPTH_MAX` levels. Level by level and not by recursion: what it looks at is as deep as a stranger has made it. */
export function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= SCHEMA_DEPTH_MAX; depth++) {
    level = level.flatMap((item) => (item !== null && typeof item === 'object' ? Object.values(item) : []));
    if (level.length === 0) return true;
  }
  return false;
}
