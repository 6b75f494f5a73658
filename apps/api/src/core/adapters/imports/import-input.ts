import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { baseModelId, description, name, slug } from '../../targets/target-input.js';

const PART = '[A-Za-z0-9_][A-Za-z0-9._-]{0,95}';
const REPOSITORY = new RegExp(`^${PART}/${PART}$`);
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/;

const hasNoDots = (text: string): boolean => !text.split('/').some((part) => part === '.' || part === '..') && !text.includes('..');

const path = textWithoutNul
  .max(500, 'expected at most 500 characters')
  .transform((text) => text.replace(/^\/+|\/+$/g, ''))
  .refine((text) => text === '' || !text.split('/').some((part) => ['', '.', '..'].includes(part)), 'expected a folder of the repository, as checkpoints/last');

const source = z.object({
  repository: z.string().refine((text) => REPOSITORY.test(text) && hasNoDots(text), 'expected organization/name, as the hub writes it'),
  revision: z
    .string()
    .refine((text) => REVISION.test(text) && hasNoDots(text), 'expected a branch, a tag or a commit')
    .nullish(),
  path: path.nullish(),
});

export const importAdapterSchema = z.object({
  slug,
  name: name.nullish(),
  description: description.nullish(),
  baseModelId,
  source,
  token: z
    .string()
    .regex(/^[\x21-\x7e]{1,1000}$/, 'expected a token of the hub, without spaces')
    .nullish(),
});

/** What the hub calls the branch that a repository begins with. */
export const DEFAULT_REVISION = 'main';
