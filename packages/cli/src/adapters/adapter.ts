/** Adapters as the API tells of them. */
import { z } from 'zod';
import type { ApiClient } from '../api-client.js';
import { CliError, EXIT } from '../cli-error.js';

const PAGE = 100;

const problem = z.object({ code: z.string(), file: z.string(), path: z.string().nullable(), message: z.string() });
export const adapterSchema = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  status: z.enum(['UPLOADING', 'READY', 'REFUSED']),
  sha256: z.string().nullable(),
  bytes: z.number(),
  createdAt: z.string(),
  baseModel: z.object({ id: z.string() }),
  files: z.array(z.object({ name: z.string(), bytes: z.number(), received: z.number(), sha256: z.string().nullable() })),
  source: z.object({ repository: z.string(), revision: z.string(), path: z.string(), commit: z.string().nullable() }).nullable(),
  importWaitsFor: z.string().nullable(),
  problems: z.array(problem),
});
export type Adapter = z.infer<typeof adapterSchema>;

export const FIELDS = `id slug name description status sha256 bytes createdAt baseModel { id } files { name bytes received sha256 }
  source { repository revision path commit } importWaitsFor problems { code file path message }`;

type Page = z.infer<typeof pageSchema>;
const pageSchema = z.object({
  tenant: z.object({
    adapters: z.object({ nodes: z.array(adapterSchema), pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }) }),
  }),
});

const PAGES = `query ($first: Int!, $after: String, $search: String) {
  tenant { adapters(first: $first, after: $after, search: $search) { nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }
}`;

/** The newest first; those with `search` in what they are called, if it is given. */
export async function listAdapters(api: ApiClient, search: string | null = null): Promise<Adapter[]> {
  const found: Adapter[] = [];
  for (let after: string | null = null; ; ) {
    const { tenant }: Page = await api.ask(pageSchema, PAGES, { first: PAGE, after, search });
    found.push(...tenant.adapters.nodes);
    if (!tenant.adapters.pageInfo.hasNextPage) return found;
    after = tenant.adapters.pageInfo.endCursor;
  }
}

/** null: there is none of that name. */
export async function findAdapter(api: ApiClient, slug: string): Promise<Adapter | null> {
  return (await listAdapters(api, slug)).find((adapter) => adapter.slug === slug) ?? null;
}

/** @throws CliError with what is wrong with it */
export function requireReady(adapter: Adapter): Adapter {
  if (adapter.status === 'READY') return adapter;
  const problems = adapter.problems.map(({ message }) => `\n  ${message}`).join('');
  throw new CliError(`the adapter "${adapter.slug}" was refused:${problems}`, EXIT.refused);
}
