import { Badge } from '@mantine/core';
import type { AdapterListFieldsFragment, AdapterStatus } from '@/lib/api/generated/graphql';

const LOOKS: Record<AdapterStatus, { label: string; color: string }> = {
  READY: { label: 'Ready', color: 'leaf' },
  UPLOADING: { label: 'Uploading', color: 'amber' },
  REFUSED: { label: 'Refused', color: 'red' },
};
const IMPORTING = { label: 'Importing', color: 'amber' };

type Adapter = Pick<AdapterListFieldsFragment, 'status' | 'source'>;

export const isImporting = ({ status, source }: Adapter): boolean => status === 'UPLOADING' && source !== null;

export const AdapterStatusBadge = ({ adapter }: { adapter: Adapter }) => {
  const { label, color } = isImporting(adapter) ? IMPORTING : LOOKS[adapter.status];
  return (
    <Badge color={color} variant="light" radius="sm" tt="none" style={{ flexShrink: 0 }}>
      {label}
    </Badge>
  );
};
