import type { BatchRow } from '../../models/batch.model.js';
import { batchId, fileId } from './batch-id.js';
import { seconds } from './files/batch-file.view.js';

/** As OpenAI's clients know batches. */
export function batchView(row: BatchRow) {
  const { total, completed, failed, problems } = row;
  return {
    id: batchId(row.id),
    object: 'batch' as const,
    endpoint: row.endpoint,
    errors: problems && { object: 'list' as const, data: problems },
    input_file_id: fileId(row.inputFileId),
    completion_window: '24h' as const,
    status: row.status.toLowerCase(),
    output_file_id: row.outputFileId && fileId(row.outputFileId),
    error_file_id: row.errorFileId && fileId(row.errorFileId),
    created_at: seconds(row.createdAt),
    in_progress_at: at(row.inProgressAt),
    expires_at: seconds(row.expiresAt),
    finalizing_at: at(row.finalizingAt),
    completed_at: at(row.completedAt),
    failed_at: at(row.failedAt),
    expired_at: at(row.expiredAt),
    cancelling_at: at(row.cancellingAt),
    cancelled_at: at(row.cancelledAt),
    request_counts: { total, completed, failed },
    metadata: row.metadata,
  };
}

const at = (time: Date | null): number | null => time && seconds(time);
