'use client';
import { useCallback } from 'react';
import type { ApiError } from '@/lib/api/api-error';
import { CreateDeploymentDocument, UpdateDeploymentDocument } from '@/lib/api/documents/deployments';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { toVariantInputs, type DeploymentDraft } from './deployment-draft';

type Saved = { deployment: DeploymentFieldsFragment; error?: undefined } | { error: ApiError };

/** Makes a deployment, or changes `id`'s. */
export const useSaveDeployment = (id: string | undefined): ((draft: DeploymentDraft) => Promise<Saved>) => {
  const [create] = useApiMutation(CreateDeploymentDocument, { types: ['Deployment'] });
  const [update] = useApiMutation(UpdateDeploymentDocument, { types: ['Deployment'] });
  return useCallback(
    async ({ slug, name, description, baseModelId, variants: drafts }) => {
      const variants = toVariantInputs(drafts);
      const shown = { name: name.trim() || slug, description: description.trim(), variants };
      if (id) {
        const { data, error } = await update({ input: { deploymentId: id, ...shown } });
        return error ? { error } : data.updateDeployment;
      }
      const { data, error } = await create({ input: { slug, baseModelId, ...shown } });
      return error ? { error } : data.createDeployment;
    },
    [id, create, update],
  );
};
