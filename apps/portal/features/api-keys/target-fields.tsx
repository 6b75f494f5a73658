'use client';
import { MultiSelect, Radio, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTargetOptions } from '@/features/targets/use-target-options';

interface Props {
  /** null: all. */
  value: string[] | null;
  onChange: (value: string[] | null) => void;
  error?: ReactNode;
}

/** All targets, or those that are picked. */
export const TargetFields = ({ value, onChange, error }: Props) => {
  const { groups, loading, onSearchChange } = useTargetOptions(value ?? [], { pause: value === null });
  return (
    <Stack gap="xs">
      <Radio.Group
        label="Targets"
        value={value === null ? 'all' : 'certain'}
        onChange={(kind) => onChange(kind === 'all' ? null : [])}
      >
        <Stack gap={6} mt={4}>
          <Radio value="all" label="All targets" description="Every adapter, deployment and base model, new ones too" />
          <Radio
            value="certain"
            label="Certain targets"
            description="All others do not exist for the key. It changes no adapters and sees no statements"
          />
        </Stack>
      </Radio.Group>
      {value !== null && (
        <MultiSelect
          label="Chosen targets"
          description="A deployment covers its variants where it is asked for"
          placeholder={value.length === 0 ? 'Search adapters, deployments, base models' : undefined}
          searchable
          hidePickedOptions
          nothingFoundMessage={loading ? 'Searching …' : 'Nothing matches'}
          data={groups}
          value={value}
          onChange={onChange}
          onSearchChange={onSearchChange}
          error={error}
          maxDropdownHeight={260}
          pl={28}
        />
      )}
    </Stack>
  );
};
