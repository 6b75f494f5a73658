import { z } from 'zod';

/** The API's limit for names. */
const NAME_CHARS_MAX = 80;

export const workspaceName = z
  .string()
  .trim()
  .min(2, 'Enter the name of your company or team')
  .max(NAME_CHARS_MAX, `At most ${NAME_CHARS_MAX} characters`);
