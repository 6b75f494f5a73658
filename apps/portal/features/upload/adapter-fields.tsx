'use client';
import { Select, Textarea, TextInput } from '@mantine/core';
import type { GetInputPropsReturnType } from '@mantine/form';
import { useMemo } from 'react';
import { z } from 'zod';
import type { ApiError } from '@/lib/api/api-error';
import { BaseModelsDocument } from '@/lib/api/documents/adapters';
import { useApiQuery } from '@/lib/api/use-api-query';
import { withSeparators } from '@/lib/format/quantity';
import { ErrorState } from '@/ui/error-state';
import { SLUG_PATTERN, SLUG_RULE } from './slug';
import type { NewAdapter } from './use-adapter-upload';

export const adapterFieldsSchema = z.object({
  slug: z.string().regex(SLUG_PATTERN, `Expected ${SLUG_RULE}`),
  name: z.string().trim().max(120, 'At most 120 characters'),
  description: z.string().trim().max(2000, 'At most 2000 characters'),
  baseModelId: z
    .string({ error: 'Choose the base model it was trained on' })
    .min(1, 'Choose the base model it was trained on'),
});

export const useBaseModels = () => {
  const { data, error, reload } = useApiQuery(BaseModelsDocument, {});
  const list = useMemo(() => data?.baseModels ?? [], [data]);
  return { list, error: data ? undefined : error, reload };
};

/** The field of a form that the API's refusal is about, if it has one. */
const problemField = (error: ApiError, values: object): string | null => {
  const field = error.field?.split('.').at(-1);
  if (field && field in values) return field;
  return error.code === 'CONFLICT' ? 'slug' : null;
};

interface RefusedForm {
  setFieldError: (field: string, message: string) => void;
}

/** Shows the API's refusal at the field that it is about; what is about none is left to be shown above the form. */
export const showRefusal = (error: ApiError, values: object, form: RefusedForm): string | null => {
  const field = problemField(error, values);
  if (!field) return withSeparators(error.message);
  form.setFieldError(field, error.message);
  return null;
};

interface Props {
  form: { getInputProps: (field: keyof NewAdapter) => GetInputPropsReturnType };
  models: ReturnType<typeof useBaseModels>;
  slugFixed: boolean;
}

/** What is said of every new adapter, however its files come. */
export const AdapterFields = ({ form, models, slugFixed }: Props) => (
  <>
    {models.error && (
      <ErrorState title="The base models could not be loaded" message={models.error.message} onRetry={models.reload} />
    )}
    <TextInput
      label="Slug"
      description="The name it is called by, as the model of a request"
      placeholder="order-json"
      disabled={slugFixed}
      {...form.getInputProps('slug')}
    />
    <Select
      label="Base model"
      description="The model the adapter was trained on"
      placeholder="Choose a model"
      allowDeselect={false}
      data={models.list.map(({ id, name }) => ({ value: id, label: name }))}
      {...form.getInputProps('baseModelId')}
    />
    <TextInput label="Name" description="Optional, for people" {...form.getInputProps('name')} />
    <Textarea
      label="Description"
      description="Optional"
      autosize
      minRows={2}
      maxRows={6}
      {...form.getInputProps('description')}
    />
  </>
);
