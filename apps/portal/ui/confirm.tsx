'use client';
import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import type { ReactNode } from 'react';

interface Question {
  title: string;
  question: ReactNode;
  /** What the button does, in its own words. */
  confirm: string;
  cancel?: string;
  onConfirm: () => void;
}

/** Asks before something is done that cannot be undone, or that takes something from somebody. */
export const askFirst = ({ title, question, confirm, cancel = 'Cancel', onConfirm }: Question): void =>
  void modals.openConfirmModal({
    title,
    // Names can be long, and in one word.
    children: (
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {question}
      </Text>
    ),
    labels: { confirm, cancel },
    confirmProps: { color: 'red' },
    onConfirm,
  });
