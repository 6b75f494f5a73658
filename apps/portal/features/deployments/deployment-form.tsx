'use client';
import { Select, Stack, Textarea, TextInput } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useEffect, useState } from 'react';
import { BaseModelsDocument } from '@/lib/api/documents/adapters';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { useApiQuery } from '@/lib/api/use-api-query';
import { ErrorState } from '@/ui/error-state';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { draftOf, draftSchema, isDraftField, type DeploymentDraft } from './deployment-draft';
import { useSaveDeployment } from './use-save-deployment';
import { VariantFields } from './variant-fields';

interface Props {
  /** The one to change; a new one without. */
  deployment?: DeploymentFieldsFragment | undefined;
  /** Told whether closing now would lose what was filled in. */
  onDirty: (dirty: boolean) => void;
  onSaved: (deployment: DeploymentFieldsFragment) => void;
  onCancel: () => void;
}

export const DeploymentForm = ({ deployment, onDirty, onSaved, onCancel }: Props) => {
  const models = useApiQuery(BaseModelsDocument, {});
  const save = useSaveDeployment(deployment?.id);
  const [refusal, setRefusal] = useState<string | null>(null);
  const form = useForm<DeploymentDraft>({
    initialValues: draftOf(deployment),
    validate: schemaResolver(draftSchema, { sync: true }),
  });
  const { setFieldValue } = form;
  const { baseModelId } = form.values;
  const dirty = form.isDirty();
  useEffect(() => onDirty(dirty), [onDirty, dirty]);

  // The only model there is needs no choosing.
  useEffect(() => {
    const [only, ...others] = models.data?.baseModels ?? [];
    if (!baseModelId && only && others.length === 0) setFieldValue('baseModelId', only.id);
  }, [models.data, baseModelId, setFieldValue]);

  const chooseModel = (id: string): void => {
    // Adapters of another base model cannot be variants.
    if (id !== baseModelId) setFieldValue('variants', form.values.variants.map((variant) => ({ ...variant, target: '' })));
    setFieldValue('baseModelId', id);
  };

  const submit = async (draft: DeploymentDraft): Promise<void> => {
    setRefusal(null);
    const saved = await save(draft);
    if (!saved.error) return onSaved(saved.deployment);
    const { field, message } = saved.error;
    if (field && isDraftField(field)) form.setFieldError(field, message.replace(`${field}: `, ''));
    else setRefusal(message);
  };

  return (
    <form onSubmit={form.onSubmit(submit)} noValidate aria-label={deployment ? 'Edit deployment' : 'New deployment'}>
      <Stack>
        <FormProblem title="It was not saved" problem={refusal} />
        {models.error && !models.data && (
          <ErrorState title="The base models could not be loaded" message={models.error.message} onRetry={models.reload} />
        )}
        <TextInput
          label="Slug"
          description={deployment ? 'Requests name it, so it stays' : 'The name it is called by, as the model of a request'}
          placeholder="reply"
          disabled={deployment !== undefined}
          {...form.getInputProps('slug')}
        />
        <Select
          label="Base model"
          description="All variants are adapters of it, or the model itself"
          placeholder="Choose a model"
          allowDeselect={false}
          disabled={deployment !== undefined}
          data={models.data?.baseModels.map(({ id, name }) => ({ value: id, label: name })) ?? []}
          {...form.getInputProps('baseModelId')}
          onChange={(id) => id && chooseModel(id)}
        />
        <VariantFields form={form} />
        <TextInput label="Name" description="Optional, for people" {...form.getInputProps('name')} />
        <Textarea
          label="Description"
          description="Optional: what is tested"
          autosize
          minRows={2}
          maxRows={6}
          {...form.getInputProps('description')}
        />
        <FormButtons submit={deployment ? 'Save' : 'Create deployment'} busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};
