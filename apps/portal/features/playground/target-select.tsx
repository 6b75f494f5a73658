'use client';
import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { AdaptersDocument, BaseModelsDocument } from '@/lib/api/documents/adapters';
import { DeploymentsDocument } from '@/lib/api/documents/deployments';
import { useApiQuery } from '@/lib/api/use-api-query';

/** More than this is found by typing. */
const SHOWN_MAX = 50;

interface Props {
  label: string;
  value: string | null;
  onChange: (target: string) => void;
}

export const TargetSelect = ({ label, value, onChange }: Props) => {
  const [search, setSearch] = useState('');
  const [settled] = useDebouncedValue(search.trim(), 250);
  const models = useApiQuery(BaseModelsDocument, {});
  // Typing what is already chosen is no search: the list stays complete when it is opened.
  const wanted = settled === '' || settled === value ? null : settled;
  const adapters = useApiQuery(
    AdaptersDocument,
    { first: SHOWN_MAX, after: null, status: 'READY', search: wanted },
    { types: ['Adapter'] },
  );
  const deployments = useApiQuery(
    DeploymentsDocument,
    { first: SHOWN_MAX, after: null, search: wanted },
    { types: ['Deployment'] },
  );
  const aliases = deployments.data?.tenant.deployments.nodes.map(({ slug }) => slug) ?? [];
  const slugs = adapters.data?.tenant.adapters.nodes.map(({ slug }) => slug) ?? [];
  const ids = models.data?.baseModels.map(({ id }) => id) ?? [];
  const chosenElsewhere = value && ![...slugs, ...aliases, ...ids].includes(value) ? [value] : [];
  return (
    <Select
      aria-label={label}
      placeholder="Choose a target"
      searchable
      allowDeselect={false}
      nothingFoundMessage={adapters.loading || deployments.loading ? 'Searching …' : 'Nothing matches'}
      data={[
        { group: 'Adapters', items: [...chosenElsewhere, ...slugs] },
        { group: 'Deployments', items: aliases },
        { group: 'Base models', items: ids },
      ].filter(({ items }) => items.length > 0)}
      value={value}
      onChange={(target) => target && onChange(target)}
      onSearchChange={setSearch}
      maxDropdownHeight={320}
      flex={1}
      miw={0}
    />
  );
};
