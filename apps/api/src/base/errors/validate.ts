import { ArilError } from '@aril/contracts';
import type { z } from 'zod';
import { fromZodError } from './error-report.js';

/** Checks an input's values after GraphQL or JSON has checked its shape. @throws BAD_INPUT naming the field. */
export function validInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { message, field } = fromZodError(parsed.error);
  throw new ArilError('BAD_INPUT', message, field ?? undefined);
}
