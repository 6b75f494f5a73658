'use client';
import { Checkbox, Radio, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import type { ApiKeyPermission } from '@/lib/api/generated/graphql';
import { isFull, PERMISSION_CHOICES } from './permissions';

interface Props {
  value: ApiKeyPermission[];
  onChange: (value: ApiKeyPermission[]) => void;
  error?: ReactNode;
}

/** Everything, or what is ticked. */
export const PermissionFields = ({ value, onChange, error }: Props) => (
  <Stack gap="xs">
    <Radio.Group
      label="Permissions"
      value={isFull(value) ? 'full' : 'chosen'}
      onChange={(kind) => onChange(kind === 'full' ? ['FULL'] : ['INFERENCE'])}
    >
      <Stack gap={6} mt={4}>
        <Radio value="full" label="Full access" description="All that keys may do: no key changes members, keys or limits" />
        <Radio value="chosen" label="Only what is chosen" />
      </Stack>
    </Radio.Group>
    {!isFull(value) && (
      <Checkbox.Group
        aria-label="Chosen permissions"
        value={value}
        onChange={(chosen) => onChange(chosen as ApiKeyPermission[])}
        error={error}
        pl={28}
      >
        <Stack gap={6} mb={error ? 4 : 0}>
          {PERMISSION_CHOICES.map((choice) => (
            <Checkbox key={choice.value} {...choice} />
          ))}
        </Stack>
      </Checkbox.Group>
    )}
  </Stack>
);
