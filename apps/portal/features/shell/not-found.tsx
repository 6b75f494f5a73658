'use client';
import { Center } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { ButtonLink } from '@/ui/button-link';
import { EmptyState } from '@/ui/empty-state';

export const NotFound = () => (
  <Center mih="70vh" component="main">
    <EmptyState
      icon={<IconMapOff />}
      title="There is no such page"
      order={1}
      action={
        <ButtonLink href="/" mt="sm">
          Go to the overview
        </ButtonLink>
      }
    >
      The address may be mistyped, or what it showed was deleted.
    </EmptyState>
  </Center>
);
