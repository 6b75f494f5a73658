/** What everything that a request can name is called by: adapters and deployments alike. */
import { lineOfText, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';

export const slug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,62}$/, 'expected 2 to 63 of a-z, 0-9, "-", "_", ".", starting with a letter or digit');
export const name = lineOfText.trim().min(1, 'expected a name').max(120, 'expected at most 120 characters');
export const description = textWithoutNul.trim().max(2000, 'expected at most 2000 characters');
export const baseModelId = textWithoutNul.min(1, 'expected the id of a base model');

export const searchSchema = z.object({ search: textWithoutNul.nullish() });
