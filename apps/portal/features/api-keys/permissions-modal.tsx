'use client';
import { useForm } from '@mantine/form';
import { UpdateApiKeyPermissionsDocument } from '@/lib/api/documents/api-keys';
import type { ApiKeyPermission, ApiKeysQuery } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { KeySettingModal } from './key-setting-modal';
import { PermissionFields } from './permission-fields';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

export const PermissionsModal = ({ apiKey, onClose }: Props) => {
  const [update] = useApiMutation(UpdateApiKeyPermissionsDocument);
  const form = useForm<{ permissions: ApiKeyPermission[] }>({
    initialValues: { permissions: apiKey.permissions },
    validate: { permissions: (chosen) => (chosen.length === 0 ? 'Choose at least one' : null) },
  });
  return (
    <KeySettingModal
      what="Permissions"
      keyName={apiKey.name}
      form={form}
      save={({ permissions }) => update({ input: { apiKeyId: apiKey.id, permissions } })}
      onClose={onClose}
    >
      <PermissionFields {...form.getInputProps('permissions')} value={form.values.permissions} />
    </KeySettingModal>
  );
};
