'use client';
import { useForm } from '@mantine/form';
import { UpdateApiKeyTargetsDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { KeySettingModal } from './key-setting-modal';
import { TargetFields } from './target-fields';
import { targetsProblem } from './targets';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

export const TargetsModal = ({ apiKey, onClose }: Props) => {
  const [update] = useApiMutation(UpdateApiKeyTargetsDocument);
  const form = useForm<{ targets: string[] | null }>({
    initialValues: { targets: apiKey.targets?.map(({ target }) => target) ?? null },
    validate: { targets: targetsProblem },
  });
  return (
    <KeySettingModal
      what="Targets"
      keyName={apiKey.name}
      form={form}
      save={({ targets }) => update({ input: { apiKeyId: apiKey.id, targets } })}
      onClose={onClose}
    >
      <TargetFields {...form.getInputProps('targets')} value={form.values.targets} />
    </KeySettingModal>
  );
};
