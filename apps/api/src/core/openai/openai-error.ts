/**
 * A refusal that names the parameter as the OpenAI API does. `code` of the answer is the more specific word that
 * OpenAI's clients switch on, where there is one.
 */
import { ArilError } from '@aril/contracts';
import type { z } from 'zod';

export function refuse(param: string, message: string): never {
  throw new ArilError('BAD_INPUT', message, param);
}

/** `['messages', 0, 'content']` → `messages[0].content`. */
export function paramName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? String(part) : `${name}.${String(part)}`;
  }, '');
}

/** The first thing wrong with a body, in one sentence that names the parameter, what was expected and what found. */
export function refuseIssue(error: z.ZodError, body: unknown): never {
  const issue = error.issues[0];
  if (!issue) return refuse('', 'The request body is invalid.');
  const param = paramName(issue.path);
  const name = param === '' ? 'The request body' : param;
  return refuse(param, `${name}: ${issue.message}, found ${describe(valueAt(body, issue.path))}.`);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value === null || typeof value !== 'object' ? undefined : Reflect.get(value, part)),
    body,
  );
}

/** Numbers and the like as they are; of texts only that they are texts, because they can be somebody's prompt. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}
