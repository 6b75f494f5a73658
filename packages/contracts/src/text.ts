import { z } from 'zod';

/** What Postgres can hold, and what a compiler does not take for shorter than it is. */
export const textWithoutNul = z.string().regex(/^[^\0]*$/, 'expected no NUL character');

/**
 * What people are shown in one line of a list, a log or a terminal. Control characters, line separators and the marks that
 * override or isolate the direction of text make it look like another name; joiners are parts of emoji and of words, and stay.
 */
export const lineOfText = textWithoutNul.regex(
  /^[^\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]*$/u,
  'expected one line without control characters and marks that change the direction of text',
);
