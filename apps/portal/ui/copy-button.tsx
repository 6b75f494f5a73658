'use client';
import { ActionIcon, Button, CopyButton as MantineCopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

interface Props {
  value: string;
  /** What is copied, for the accessible name: "Copy <what>". */
  what: string;
  withLabel?: boolean;
}

export const CopyButton = ({ value, what, withLabel = false }: Props) => (
  <MantineCopyButton value={value} timeout={1_500}>
    {({ copied, copy }) => {
      const label = copied ? 'Copied' : `Copy ${what}`;
      const icon = copied ? <IconCheck size={16} /> : <IconCopy size={16} />;
      if (withLabel) {
        return (
          <Button
            variant={copied ? 'filled' : 'light'}
            color={copied ? 'leaf' : undefined}
            leftSection={icon}
            onClick={copy}
          >
            {label}
          </Button>
        );
      }
      return (
        <Tooltip label={label} withArrow>
          <ActionIcon variant="subtle" color={copied ? 'leaf' : 'gray'} onClick={copy} aria-label={label}>
            {icon}
          </ActionIcon>
        </Tooltip>
      );
    }}
  </MantineCopyButton>
);
