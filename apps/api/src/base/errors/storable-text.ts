import { z } from 'zod';

/** Postgres holds every character but NUL in its texts. */
export const storableText = z.string().regex(/^[^\0]*$/, 'expected no NUL character');
