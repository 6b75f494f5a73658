import { z } from 'zod';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';
import { adapterFieldsSchema } from '@/features/upload/adapter-fields';
import { SLUG_PATTERN, toSlug } from '@/features/upload/slug';
import type { NewAdapter } from '@/features/upload/use-adapter-upload';

export interface NewImport extends NewAdapter {
  repository: string;
  revision: string;
  path: string;
  token: string;
}

/** organization/name, also out of the address of its page. */
export const repositoryOf = (text: string): string =>
  text
    .trim()
    .replace(/^https?:\/\/[^/]+\//, '')
    .split('/')
    .slice(0, 2)
    .join('/');

export const importSchema = adapterFieldsSchema.extend({
  repository: z.string().refine((text) => /^[\w.-]+\/[\w.-]+$/.test(repositoryOf(text)), 'Expected organization/name'),
  revision: z.string(),
  path: z.string(),
  token: z.string().trim().regex(/^\S*$/, 'A token has no spaces'),
});

/** The slug proposed for a repository: its name, if it can be one. */
export const slugOf = (repository: string): string => {
  const slug = toSlug(repositoryOf(repository).split('/')[1] ?? '');
  return SLUG_PATTERN.test(slug) ? slug : '';
};

/** What is asked of the API: what was left empty is left out. */
export const toInput = ({ repository, revision, path, token, ...adapter }: NewImport) => ({
  ...adapter,
  name: adapter.name.trim() || adapter.slug,
  source: { repository: repositoryOf(repository), revision: revision.trim() || null, path: path.trim() || null },
  token: token.trim() || null,
});

export const importDraftOf = (adapter: NewAdapter, source: AdapterListFieldsFragment['source'] | undefined): NewImport => ({
  ...adapter,
  repository: source?.repository ?? '',
  revision: source?.revision ?? '',
  path: source?.path ?? '',
  token: '',
});
