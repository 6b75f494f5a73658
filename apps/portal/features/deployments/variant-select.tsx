'use client';
import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState, type ReactNode } from 'react';
import { AdaptersDocument } from '@/lib/api/documents/adapters';
import { useApiQuery } from '@/lib/api/use-api-query';

/** More than this is found by typing. */
const SHOWN_MAX = 100;

interface Props {
  label: string;
  baseModelId: string;
  /** Those of the other variants: each may be there once. */
  taken: readonly string[];
  value: string;
  error?: ReactNode;
  onChange: (target: string) => void;
}

/** What a variant calls: an adapter of the base model that is ready, or the base model itself. */
export const VariantSelect = ({ label, baseModelId, taken, value, error, onChange }: Props) => {
  const [search, setSearch] = useState('');
  const [settled] = useDebouncedValue(search.trim(), 250);
  // Typing what is already chosen is no search: the list stays complete when it is opened.
  const wanted = settled === '' || settled === value ? null : settled;
  const { data, loading } = useApiQuery(
    AdaptersDocument,
    { first: SHOWN_MAX, after: null, status: 'READY', search: wanted },
    { types: ['Adapter'], pause: baseModelId === '' },
  );
  const slugs = (data?.tenant.adapters.nodes ?? [])
    .filter(({ baseModel }) => baseModel.id === baseModelId)
    .map(({ slug }) => slug);
  const free = (targets: string[]): string[] => targets.filter((target) => !taken.includes(target));
  const chosenElsewhere = value !== '' && value !== baseModelId && !slugs.includes(value) ? [value] : [];
  return (
    <Select
      aria-label={label}
      placeholder="Adapter or base model"
      searchable
      allowDeselect={false}
      disabled={baseModelId === ''}
      nothingFoundMessage={loading ? 'Searching …' : 'No adapter of this base model matches'}
      data={[
        { group: 'Adapters', items: free([...chosenElsewhere, ...slugs]) },
        { group: 'Base model', items: free([baseModelId]) },
      ].filter(({ items }) => items.length > 0)}
      value={value || null}
      error={error}
      onChange={(target) => target && onChange(target)}
      onSearchChange={setSearch}
      flex={1}
      miw={0}
    />
  );
};
