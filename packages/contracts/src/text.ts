import { z } from 'zod';

/** What Postgres can hold, and what a compiler does not take for shorter than it is. */
export const textWithoutNul = z.string().regex(/^[^\0]*$/, 'expected no NUL character');
