'use client';
import { Button, Group, SimpleGrid, Stack, Textarea, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { z } from 'zod';
import { UpdateBillingDetailsDocument } from '@/lib/api/documents/billing';
import type { BillingDetailsQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { FormProblem } from '@/ui/form-problem';

type Details = Pick<
  BillingDetailsQuery['tenant']['billingDetails'],
  'legalName' | 'address' | 'taxId' | 'email'
>;

const schema = z.object({
  legalName: z.string().trim().max(200, 'At most 200 characters'),
  address: z
    .string()
    .trim()
    .max(500, 'At most 500 characters')
    .refine((text) => text.split('\n').length <= 8, 'At most 8 lines'),
  taxId: z.string().trim().max(60, 'At most 60 characters'),
  email: z.string().trim().pipe(z.union([z.literal(''), z.email('Enter an e-mail address, or nothing')])),
});

export const BillingDetailsForm = ({ details, tenantName }: { details: Details; tenantName: string }) => {
  const [update] = useApiMutation(UpdateBillingDetailsDocument, { types: ['Statement'] });
  const [problem, setProblem] = useState<string | null>(null);
  const { legalName, address, taxId, email } = details;
  const form = useForm<Details>({
    initialValues: { legalName, address, taxId, email },
    validate: schemaResolver(schema, { sync: true }),
  });
  const save = async (values: Details): Promise<void> => {
    setProblem(null);
    const { data, error } = await update({ input: schema.parse(values) });
    if (!error) {
      const { legalName, address, taxId, email } = data.updateBillingDetails.billingDetails;
      form.setInitialValues({ legalName, address, taxId, email });
      form.reset();
      notifications.show({ color: 'leaf', title: 'Billing details saved', message: 'The next statement has them.' });
    } else if (error.field && error.field in values) form.setFieldError(error.field, error.message);
    else setProblem(error.message);
  };
  return (
    <form onSubmit={form.onSubmit(save)} noValidate aria-label="Billing details">
      <Stack>
        <FormProblem problem={problem} />
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Stack>
            <TextInput
              label="Legal name"
              placeholder={tenantName}
              autoComplete="organization"
              {...form.getInputProps('legalName')}
            />
            <TextInput label="Tax id" {...form.getInputProps('taxId')} />
            <TextInput label="E-mail" type="email" autoComplete="email" {...form.getInputProps('email')} />
          </Stack>
          <Textarea label="Address" autosize minRows={7} maxRows={8} {...form.getInputProps('address')} />
        </SimpleGrid>
        <Group justify="flex-end">
          <Button type="submit" loading={form.submitting} disabled={!form.isDirty()}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
};
