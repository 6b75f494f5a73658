'use client';
import { TargetTable, type TargetPage } from '@/features/targets/target-table';
import type { AdapterListFieldsFragment, AdapterOrder } from '@/lib/api/generated/graphql';
import { columns } from './adapter-columns';
import { orderOf, sortStatus } from './adapter-sort';

interface Props extends TargetPage<AdapterListFieldsFragment> {
  order: AdapterOrder;
  onOrder: (order: AdapterOrder) => void;
}

export const AdapterTable = ({ order, onOrder, ...page }: Props) => (
  <TargetTable
    {...page}
    columns={columns}
    path="/adapters"
    canTry={({ status }) => status === 'READY'}
    sorting={{ sortStatus: sortStatus(order), onSortStatusChange: (status) => onOrder(orderOf(status, order)) }}
  />
);
