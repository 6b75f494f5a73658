'use client';
import { useCallback } from 'react';
import { useDeleteTarget, type Deletable } from '@/features/targets/use-delete-target';
import { DeleteDeploymentDocument } from '@/lib/api/documents/deployments';
import { useApiMutation } from '@/lib/api/use-api-mutation';

export const useDeleteDeployment = (onDeleted?: () => void): ((deployment: Deletable) => void) => {
  const [deleteDeployment] = useApiMutation(DeleteDeploymentDocument, { types: ['Deployment'] });
  const remove = useCallback((deploymentId: string) => deleteDeployment({ input: { deploymentId } }), [deleteDeployment]);
  const stays = 'Its adapters stay, and so does its usage in your reports.';
  return useDeleteTarget({ noun: 'deployment', stays, remove, onDeleted });
};
