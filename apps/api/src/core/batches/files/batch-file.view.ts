import type { BatchFileRow } from '../../../models/batch-file.model.js';
import { fileId } from '../batch-id.js';

/** As OpenAI's clients know files. */
export const fileView = ({ id, bytes, createdAt, expiresAt, filename, purpose }: BatchFileRow) => ({
  id: fileId(id),
  object: 'file' as const,
  bytes: Number(bytes),
  created_at: seconds(createdAt),
  expires_at: seconds(expiresAt),
  filename,
  purpose,
  status: 'processed' as const,
  status_details: null,
});

export const seconds = (time: Date): number => Math.floor(time.getTime() / 1_000);

/** A page, which the clients go on from by its last id. */
export const listView = <T extends { id: string }>(data: readonly T[], hasMore: boolean) => ({
  object: 'list' as const,
  data,
  first_id: data[0]?.id ?? null,
  last_id: data.at(-1)?.id ?? null,
  has_more: hasMore,
});
