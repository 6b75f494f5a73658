'use client';
import { PasswordInput, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useEffect, useState } from 'react';
import { AdapterFields, showRefusal, useBaseModels } from '@/features/upload/adapter-fields';
import type { ApiError } from '@/lib/api/api-error';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { importSchema, type NewImport, slugOf } from './import-draft';

interface Props {
  draft: NewImport;
  onDraft: (draft: NewImport) => void;
  slugFixed: boolean;
  hubUrl: string;
  onBegin: (adapter: NewImport) => Promise<ApiError | null>;
  onCancel: () => void;
}

export const ImportForm = ({ draft, onDraft, slugFixed, hubUrl, onBegin, onCancel }: Props) => {
  const models = useBaseModels();
  const [refusal, setRefusal] = useState<string | null>(null);
  const form = useForm<NewImport>({
    initialValues: draft,
    onValuesChange: onDraft,
    validate: schemaResolver(importSchema, { sync: true }),
  });
  const { setFieldValue } = form;
  const only = models.list.length === 1 ? models.list[0]?.id : undefined;
  const { baseModelId } = form.values;
  useEffect(() => {
    if (only && !baseModelId) setFieldValue('baseModelId', only);
  }, [only, baseModelId, setFieldValue]);

  const begin = async (values: NewImport): Promise<void> => {
    setRefusal(null);
    const error = await onBegin(values);
    if (error) setRefusal(showRefusal(error, values, form));
  };
  const proposeSlug = (): void => {
    if (!form.values.slug) setFieldValue('slug', slugOf(form.values.repository));
  };

  return (
    <form onSubmit={form.onSubmit(begin)} noValidate aria-label="Import adapter">
      <Stack>
        <FormProblem title="The import was not started" problem={refusal} />
        <TextInput
          label="Repository"
          description={`Of a PEFT adapter at ${new URL(hubUrl).host}`}
          placeholder="organization/name"
          data-autofocus
          {...form.getInputProps('repository')}
          onBlur={proposeSlug}
        />
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <TextInput
            label="Revision"
            description="Optional: a branch, tag or commit"
            placeholder="main"
            {...form.getInputProps('revision')}
          />
          <TextInput
            label="Folder"
            description="Optional, in the repository"
            {...form.getInputProps('path')}
          />
        </SimpleGrid>
        <PasswordInput
          label="Token"
          description="For private and gated repositories. Used for this import and then forgotten."
          autoComplete="off"
          {...form.getInputProps('token')}
        />
        <AdapterFields form={form} models={models} slugFixed={slugFixed} />
        <FormButtons submit="Import" busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
