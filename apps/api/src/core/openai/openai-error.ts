/**
 * A refusal that names the parameter as the OpenAI API does. `code` of the answer is the more specific word that
 * OpenAI's clients switch on, where there is one.
 */
import { ArilError } from '@aril/contracts';
import type { z } from 'zod';

/** `param` "": it is about the whole body. */
export function refuse(param: string, message: string): never {
  throw new ArilError('BAD_INPUT', message, param === '' ? undefined : param);
}

/** `['messages', 0, 'content']` → `messages[0].content`. */
function paramName(path: readonly PropertyKey[]): string {
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
  // Zod's own messages say what type they received, which is no more than what was found.
  const message = issue.message.replace(/, received \w+$/, '');
  return refuse(param, /\bfound\b/.test(message) ? `${name}: ${message}.` : `${name}: ${message}, found ${describe(valueAt(body, issue.path))}.`);
}

/** Parts and tools that are for other models, told as what they are: a union's own message only says that nothing matched. */
export function refuseType(of: unknown, param: string, expected: string, isKnown: (type: string) => boolean): void {
  const type = memberOf(of, 'type');
  if (typeof type !== 'string' || isKnown(type)) return;
  refuse(`${param}.type`, `${param}.type: only ${expected} are supported, found ${JSON.stringify(type.slice(0, 40))}.`);
}

/** Of what may be anything. */
export const memberOf = (value: unknown, key: PropertyKey): unknown =>
  value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined;

const valueAt = (body: unknown, path: readonly PropertyKey[]): unknown => path.reduce(memberOf, body);

/** Numbers and the like as they are; of texts only that they are texts, because they can be somebody's prompt. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}
