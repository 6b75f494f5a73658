'use client';
import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { useState, type ReactNode } from 'react';
import { ApiProvider } from '@/lib/api/api-provider';
import { cssVariablesResolver } from '@/ui/theme/css-variables';
import { theme } from '@/ui/theme/theme';

export const Providers = ({ children }: { children: ReactNode }) => {
  const [labels] = useState({ confirm: 'Confirm', cancel: 'Cancel' });
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariablesResolver} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <ApiProvider>
        <ModalsProvider labels={labels}>{children}</ModalsProvider>
      </ApiProvider>
    </MantineProvider>
  );
};
