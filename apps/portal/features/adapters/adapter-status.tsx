import { Badge } from '@mantine/core';
import type { AdapterStatus } from '@/lib/api/generated/graphql';

const LOOKS: Record<AdapterStatus, { label: string; color: string }> = {
  READY: { label: 'Ready', color: 'leaf' },
  UPLOADING: { label: 'Uploading', color: 'amber' },
  REFUSED: { label: 'Refused', color: 'red' },
};

export const AdapterStatusBadge = ({ status }: { status: AdapterStatus }) => (
  <Badge color={LOOKS[status].color} variant="light" radius="sm" tt="none" style={{ flexShrink: 0 }}>
    {LOOKS[status].label}
  </Badge>
);
