'use client';
import { Modal, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useState, type ReactNode } from 'react';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';

interface Props<Values> {
  /** As the title has it: "Permissions". */
  what: string;
  keyName: string;
  form: UseFormReturnType<Values>;
  save: (values: Values) => Promise<{ error?: { message: string } | undefined }>;
  onClose: () => void;
  /** The fields. */
  children: ReactNode;
}

/** What one setting of a key is changed in; stays open with the reason where that fails. */
export function KeySettingModal<Values>({ what, keyName, form, save, onClose, children }: Props<Values>) {
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (values: Values): Promise<void> => {
    setProblem(null);
    const { error } = await save(values);
    if (error) setProblem(error.message);
    else onClose();
  };
  return (
    <Modal opened onClose={onClose} title={`${what} of ${keyName}`}>
      <form onSubmit={form.onSubmit(submit)} noValidate aria-label={what}>
        <Stack>
          <Text size="sm" c="dimmed">
            They hold from the next request on, for every secret of the key.
          </Text>
          <FormProblem problem={problem} />
          {children}
          <FormButtons submit={`Save ${what.toLowerCase()}`} busy={form.submitting} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}
