'use client';
import { Stack, Text } from '@mantine/core';
import { schemaResolver, useForm } from '@mantine/form';
import { useEffect, useState } from 'react';
import type { ApiError } from '@/lib/api/api-error';
import { FormButtons } from '@/ui/form-buttons';
import { FormProblem } from '@/ui/form-problem';
import { AdapterFields, adapterFieldsSchema, showRefusal, useBaseModels } from './adapter-fields';
import { ADAPTER_FILES, CONFIG_FILE, type ChosenFiles } from './chosen-files';
import { guessBaseModel, readConfigPreview, type ConfigPreview } from './config-preview';
import { FilePicker } from './file-picker';
import { slugFromPath } from './slug';
import type { NewAdapter } from './use-adapter-upload';

interface Props {
  /** What the fields held when the form was last shown; changes are handed on to be kept past it. */
  draft: NewAdapter;
  onDraft: (draft: NewAdapter) => void;
  slugFixed: boolean;
  files: ChosenFiles;
  onFiles: (files: ChosenFiles) => void;
  onBegin: (adapter: NewAdapter, files: ChosenFiles) => Promise<ApiError | null>;
  onCancel: () => void;
}

export const NewAdapterForm = ({ draft, onDraft, slugFixed, files, onFiles, onBegin, onCancel }: Props) => {
  const models = useBaseModels();
  const [preview, setPreview] = useState<ConfigPreview | null>(null);
  const [filesProblem, setFilesProblem] = useState<string | undefined>();
  const [refusal, setRefusal] = useState<string | null>(null);
  const form = useForm<NewAdapter>({
    initialValues: draft,
    onValuesChange: onDraft,
    validate: schemaResolver(adapterFieldsSchema, { sync: true }),
  });
  const { setFieldValue } = form;
  const baseModelId = form.values.baseModelId;

  const config = files[CONFIG_FILE];
  useEffect(() => {
    let current = true;
    void (config ? readConfigPreview(config) : Promise.resolve(null)).then(
      (read) => current && setPreview(read),
    );
    return () => void (current = false);
  }, [config]);

  // The only model there is, or the one the config names, is chosen unless someone chose already.
  useEffect(() => {
    const ids = models.list.map(({ id }) => id);
    const guess = guessBaseModel(preview, ids) ?? (ids.length === 1 ? ids[0] : null);
    if (!baseModelId && guess) setFieldValue('baseModelId', guess);
  }, [models.list, preview, baseModelId, setFieldValue]);

  const take = (chosen: ChosenFiles, path: string): void => {
    setFilesProblem(undefined);
    onFiles(chosen);
    // Files are read for a moment, in which somebody may have written a slug.
    const slug = slugFromPath(path);
    if (slug && !form.getValues().slug) setFieldValue('slug', slug);
  };

  const begin = async (values: NewAdapter): Promise<void> => {
    setRefusal(null);
    const missing = ADAPTER_FILES.filter((name) => !files[name]);
    const empty = ADAPTER_FILES.filter((name) => files[name]?.size === 0);
    if (missing.length > 0) return setFilesProblem(`Still missing: ${missing.join(' and ')}`);
    if (empty.length > 0) return setFilesProblem(`Empty: ${empty.join(' and ')}`);
    const error = await onBegin({ ...values, name: values.name || values.slug }, files);
    if (error) setRefusal(showRefusal(error, values, form));
  };

  return (
    <form onSubmit={form.onSubmit(begin)} noValidate aria-label="New adapter">
      <Stack>
        <FormProblem title="The upload was not started" problem={refusal} />
        <FilePicker files={files} onFiles={take} error={filesProblem} />
        {preview && <PreviewLine preview={preview} />}
        <AdapterFields form={form} models={models} slugFixed={slugFixed} />
        <FormButtons submit="Upload" busy={form.submitting} onCancel={onCancel} />
      </Stack>
    </form>
  );
};

const PreviewLine = ({ preview }: { preview: ConfigPreview }) => {
  const facts = [
    preview.peft_type,
    typeof preview.r === 'number' && `rank ${preview.r}`,
    typeof preview.lora_alpha === 'number' && `alpha ${preview.lora_alpha}`,
    preview.base_model_name_or_path && `for ${preview.base_model_name_or_path}`,
  ].filter(Boolean);
  return facts.length === 0 ? null : (
    <Text size="sm" c="dimmed">
      The config says: {facts.join(' · ')}
    </Text>
  );
};
