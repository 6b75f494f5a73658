import type { BatchFieldsFragment, BatchStatus } from '@/lib/api/generated/graphql';

export type Batch = BatchFieldsFragment;

const OPEN: BatchStatus[] = ['VALIDATING', 'IN_PROGRESS', 'FINALIZING', 'CANCELLING'];
const CANCELLABLE: BatchStatus[] = ['VALIDATING', 'IN_PROGRESS'];

/** Something is still done for it, so what is shown grows old. */
export const isOpen = ({ status }: Pick<Batch, 'status'>): boolean => OPEN.includes(status);

export const isCancellable = ({ status }: Pick<Batch, 'status'>): boolean => CANCELLABLE.includes(status);

/** As short as ids are shown: the last of it tells batches of one day apart. */
export const nameOf = ({ id, inputFileName }: Pick<Batch, 'id' | 'inputFileName'>): string => inputFileName ?? `Batch …${id.slice(-6)}`;
