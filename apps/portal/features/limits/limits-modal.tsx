'use client';
import { Modal, Stack, Text } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import type { ApiError } from '@/lib/api/api-error';
import type { LimitsInput } from '@/lib/api/generated/graphql';
import { withSeparators } from '@/lib/format/quantity';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { LimitsFields, type Ceilings } from './limits-fields';
import { limitsSchema, toInput, type LimitValues } from './limit-values';

interface Props {
  title: string;
  description: string;
  initial: LimitValues;
  ceilings?: Ceilings | undefined;
  /** Gives what went wrong, if something did. */
  onSave: (input: LimitsInput) => Promise<ApiError | undefined>;
  onClose: () => void;
}

/** At a field, its name in the API says nothing. */
const withoutName = (message: string): string => withSeparators(message.replace(/^\w+: e/, 'E'));

const LimitsForm = ({ description, initial, ceilings, onSave, onClose }: Omit<Props, 'title'>) => {
  const [problem, setProblem] = useState<string | null>(null);
  const form = useForm<LimitValues>({
    initialValues: initial,
    validate: schemaResolver(limitsSchema, { sync: true }),
  });
  const save = async (values: LimitValues): Promise<void> => {
    setProblem(null);
    const error = await onSave(toInput(values));
    if (!error) onClose();
    else if (error.field !== undefined && error.field in values) form.setFieldError(error.field, withoutName(error.message));
    else setProblem(error.message);
  };
  return (
    <form onSubmit={form.onSubmit(save)} noValidate aria-label="Limits">
      <Stack>
        <Text size="sm" c="dimmed">
          {description}
        </Text>
        <FormProblem problem={problem} />
        <LimitsFields inputProps={(field) => form.getInputProps(field)} ceilings={ceilings} />
        <FormButtons submit="Save limits" busy={form.submitting} onCancel={onClose} />
      </Stack>
    </form>
  );
};

/** Limits of the workspace or of one key. Closing it forgets what was typed. */
export const LimitsModal = ({ opened, title, onClose, ...form }: Props & { opened: boolean }) => (
  <Modal opened={opened} onClose={onClose} title={title}>
    <LimitsForm {...form} onClose={onClose} />
  </Modal>
);
