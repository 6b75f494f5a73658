'use client';
import { Group, SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { lastDays, rangeProblem, type DayRange } from './range';

const PRESETS = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: 'custom', label: 'Custom' },
];

interface Props {
  range: DayRange | null;
  onRange: (range: DayRange | null) => void;
}

/** Days to look at. Of a range the API cannot answer, what is wrong is said, and null is handed on. */
export const RangePicker = ({ range, onRange }: Props) => {
  const [preset, setPreset] = useState('30');
  const [draft, setDraft] = useState<DayRange>(range ?? { first: '', last: '' });
  const problem = rangeProblem(draft);
  const choose = (value: string): void => {
    setPreset(value);
    if (value === 'custom') return setDraft(range ?? draft);
    onRange(lastDays(Number(value), new Date()));
  };
  const edit = (part: Partial<DayRange>): void => {
    const next = { ...draft, ...part };
    setDraft(next);
    onRange(rangeProblem(next) ? null : next);
  };
  return (
    <Group gap="sm" align="flex-start">
      <SegmentedControl data={PRESETS} value={preset} onChange={choose} aria-label="Range" />
      {preset === 'custom' && (
        <Group gap="xs" align="flex-start">
          <TextInput
            type="date"
            aria-label="First day"
            value={draft.first}
            max={draft.last}
            error={problem}
            onChange={(event) => edit({ first: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            aria-label="Last day"
            value={draft.last}
            min={draft.first}
            error={problem !== null}
            onChange={(event) => edit({ last: event.currentTarget.value })}
          />
        </Group>
      )}
    </Group>
  );
};
