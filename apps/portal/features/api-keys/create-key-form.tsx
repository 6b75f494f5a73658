'use client';
import { Accordion, Select, Stack, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useState } from 'react';
import { z } from 'zod';
import { limitsSchema, NO_VALUES, toInput, type LimitValues } from '@/features/limits/limit-values';
import { LimitsFields } from '@/features/limits/limits-fields';
import { CreateApiKeyDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeyPermission } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { EXPIRIES, expiresAt, type Expiry } from './expiry';
import { PermissionFields } from './permission-fields';
import { TargetFields } from './target-fields';

const schema = z.object({
  name: z
    .string()
    .trim()
    .min(1, 'Enter a name that says where the key is used')
    .max(80, 'At most 80 characters'),
  expiry: z.enum(['30', '90', '365', 'never']),
  limits: limitsSchema,
  permissions: z.array(z.string()).min(1, 'Choose at least one'),
  targets: z.array(z.string()).min(1, 'Choose at least one').nullable(),
});

interface Values {
  name: string;
  expiry: Expiry;
  limits: LimitValues;
  permissions: ApiKeyPermission[];
  /** null: all. */
  targets: string[] | null;
}

interface Props {
  onCreated: (name: string, secret: string) => void;
  onCancel: () => void;
}

export const CreateKeyForm = ({ onCreated, onCancel }: Props) => {
  const [createKey] = useApiMutation(CreateApiKeyDocument);
  const [problem, setProblem] = useState<string | null>(null);
  const [opened, setOpened] = useState<string | null>(null);
  const form = useForm<Values>({
    initialValues: { name: '', expiry: '90', limits: NO_VALUES, permissions: ['FULL'], targets: null },
    validate: schemaResolver(schema, { sync: true }),
  });
  const create = async (values: Values): Promise<void> => {
    setProblem(null);
    const name = values.name.trim();
    const { data, error } = await createKey({
      input: {
        name,
        expiresAt: expiresAt(values.expiry, new Date()),
        limits: toInput(values.limits),
        permissions: values.permissions,
        targets: values.targets,
      },
    });
    if (!error) onCreated(name, data.createApiKey.secret);
    else if (error.field?.endsWith('name')) form.setFieldError('name', error.message);
    else setProblem(error.message);
  };
  return (
    <form
      // What is wrong may be folded away.
      onSubmit={form.onSubmit(create, (errors) => !errors.name && !errors.permissions && !errors.targets && setOpened('limits'))}
      noValidate aria-label="New API key">
      <Stack>
        <FormProblem problem={problem} />
        <TextInput
          label="Name"
          description="Where the key is used"
          placeholder="Checkout service"
          data-autofocus
          {...form.getInputProps('name')}
        />
        <Select label="Expires" data={EXPIRIES} allowDeselect={false} {...form.getInputProps('expiry')} />
        <PermissionFields {...form.getInputProps('permissions')} value={form.values.permissions} />
        <TargetFields {...form.getInputProps('targets')} value={form.values.targets} />
        <Accordion variant="separated" value={opened} onChange={setOpened}>
          <Accordion.Item value="limits">
            <Accordion.Control>Limits of this key</Accordion.Control>
            <Accordion.Panel>
              <Stack>
                <LimitsFields inputProps={(field) => form.getInputProps(`limits.${field}`)} />
              </Stack>
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
        <FormButtons submit="Create key" busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
