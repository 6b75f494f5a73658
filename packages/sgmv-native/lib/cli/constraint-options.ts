/** `--json-schema`, `--regex` and `--grammar`: what the answer has to be. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Constraint } from '../types.js';
import { CliError } from './cli-error.js';

export interface ConstraintOptions {
  jsonSchema?: string;
  regex?: string;
  grammar?: string;
}

export function addConstraintOptions(command: Command): Command {
  return command
    .option('--json-schema <schema>', 'answer in JSON that satisfies this schema, a file or the JSON itself')
    .option('--regex <pattern>', 'answer with text that matches the whole pattern')
    .option('--grammar <file>', "answer with a text of this grammar, in XGrammar's EBNF");
}

export function readConstraint({ jsonSchema, regex, grammar }: ConstraintOptions): Constraint | undefined {
  const given = [jsonSchema, regex, grammar].filter((option) => option !== undefined);
  if (given.length > 1)
    throw new CliError(
      'bad_argument',
      'Found several of --json-schema, --regex and --grammar; expected one.',
    );
  if (jsonSchema !== undefined) {
    const schema = jsonSchema.trimStart().startsWith('{')
      ? jsonSchema
      : readOption('--json-schema', jsonSchema);
    return { type: 'jsonSchema', schema };
  }
  if (regex !== undefined) return { type: 'regex', pattern: regex };
  return grammar === undefined ? undefined : { type: 'grammar', grammar: readOption('--grammar', grammar) };
}

function readOption(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError('bad_argument', `${option}: ${file} cannot be read: ${(error as Error).message}.`);
  }
}
