'use client';
import { Select } from '@mantine/core';
import { useTargetOptions } from '@/features/targets/use-target-options';

interface Props {
  label: string;
  value: string | null;
  onChange: (target: string) => void;
}

export const TargetSelect = ({ label, value, onChange }: Props) => {
  const { groups, loading, onSearchChange } = useTargetOptions(value ? [value] : []);
  return (
    <Select
      aria-label={label}
      placeholder="Choose a target"
      searchable
      allowDeselect={false}
      nothingFoundMessage={loading ? 'Searching …' : 'Nothing matches'}
      data={groups}
      value={value}
      onChange={(target) => target && onChange(target)}
      onSearchChange={onSearchChange}
      maxDropdownHeight={320}
      flex={1}
      miw={0}
    />
  );
};
