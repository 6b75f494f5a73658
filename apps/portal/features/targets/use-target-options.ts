'use client';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { AdaptersDocument, BaseModelsDocument } from '@/lib/api/documents/adapters';
import { DeploymentsDocument } from '@/lib/api/documents/deployments';
import { useApiQuery } from '@/lib/api/use-api-query';

/** More than this is found by typing. */
const SHOWN_MAX = 50;

interface Options {
  groups: { group: string; items: string[] }[];
  loading: boolean;
  onSearchChange: (search: string) => void;
}

/** All that requests can name, in groups, as a searchable list shows it; `chosen` is there whatever is searched for. */
export const useTargetOptions = (chosen: readonly string[], { pause = false } = {}): Options => {
  const [search, setSearch] = useState('');
  const [settled] = useDebouncedValue(search.trim(), 250);
  const models = useApiQuery(BaseModelsDocument, {}, { pause });
  // Typing what is already chosen is no search: the list stays complete when it is opened.
  const wanted = settled === '' || chosen.includes(settled) ? null : settled;
  const adapters = useApiQuery(
    AdaptersDocument,
    { first: SHOWN_MAX, after: null, status: 'READY', search: wanted },
    { types: ['Adapter'], pause },
  );
  const deployments = useApiQuery(
    DeploymentsDocument,
    { first: SHOWN_MAX, after: null, search: wanted },
    { types: ['Deployment'], pause },
  );
  const aliases = deployments.data?.tenant.deployments.nodes.map(({ slug }) => slug) ?? [];
  const slugs = adapters.data?.tenant.adapters.nodes.map(({ slug }) => slug) ?? [];
  const ids = models.data?.baseModels.map(({ id }) => id) ?? [];
  const found = new Set([...slugs, ...aliases, ...ids]);
  const elsewhere = chosen.filter((target) => !found.has(target));
  const groups = [
    { group: 'Adapters', items: [...elsewhere, ...slugs] },
    { group: 'Deployments', items: aliases },
    { group: 'Base models', items: ids },
  ].filter(({ items }) => items.length > 0);
  return { groups, loading: adapters.loading || deployments.loading, onSearchChange: setSearch };
};
