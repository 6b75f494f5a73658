'use client';
import { Paper } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { EmptyState } from './empty-state';

interface Props {
  icon: ReactNode;
  /** As in "There is no such adapter". */
  noun: string;
  children: ReactNode;
}

/** The page of a thing that is not there, or not for whoever asks. */
export const Missing = ({ icon, noun, children }: Props) => {
  useDocumentTitle(`${noun.charAt(0).toUpperCase()}${noun.slice(1)} not found · Aril`);
  return (
    <Paper>
      <EmptyState icon={icon} title={`There is no such ${noun}`} order={1}>
        {children}
      </EmptyState>
    </Paper>
  );
};
