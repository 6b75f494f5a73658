'use client';
import { LimitsModal } from '@/features/limits/limits-modal';
import { toValues } from '@/features/limits/limit-values';
import { UpdateApiKeyLimitsDocument } from '@/lib/api/documents/limits';
import type { ApiKeysQuery, LimitsInput } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';

interface Props {
  apiKey: ApiKeysQuery['tenant']['apiKeys'][number];
  onClose: () => void;
}

export const KeyLimitsModal = ({ apiKey, onClose }: Props) => {
  const [update] = useApiMutation(UpdateApiKeyLimitsDocument);
  const save = async (input: LimitsInput) =>
    (await update({ input: { apiKeyId: apiKey.id, ...input } })).error;
  return (
    <LimitsModal
      opened
      title={`Limits of ${apiKey.name}`}
      description="Besides those of the workspace. They hold from the next request on; an empty field is no limit."
      initial={toValues(apiKey.limits, apiKey.budget)}
      onSave={save}
      onClose={onClose}
    />
  );
};
