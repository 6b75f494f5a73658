import { z } from 'zod';

/** The API's limit for names, in characters. */
const NAME_CHARS_MAX = 120;

export const personName = z
  .string()
  .trim()
  .min(1, 'Enter your name')
  .max(NAME_CHARS_MAX, `At most ${NAME_CHARS_MAX} characters`);
