'use client';
import { useCallback } from 'react';
import { useDeleteTarget, type Deletable } from '@/features/targets/use-delete-target';
import { DeleteAdapterDocument } from '@/lib/api/documents/adapters';
import { useApiMutation } from '@/lib/api/use-api-mutation';

export const useDeleteAdapter = (onDeleted?: () => void): ((adapter: Deletable) => void) => {
  const [deleteAdapter] = useApiMutation(DeleteAdapterDocument, { types: ['Adapter'] });
  const remove = useCallback((adapterId: string) => deleteAdapter({ input: { adapterId } }), [deleteAdapter]);
  return useDeleteTarget({ noun: 'adapter', stays: 'Its usage stays in your reports.', remove, onDeleted });
};
