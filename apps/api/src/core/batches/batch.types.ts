import { Field, ID, InputType, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionOf } from '../../base/graphql/connection.js';
import type { BatchRow, BatchStatus } from '../../models/batch.model.js';
import { batchId, fileId } from './batch-id.js';

const STATUSES = ['VALIDATING', 'FAILED', 'IN_PROGRESS', 'FINALIZING', 'COMPLETED', 'EXPIRED', 'CANCELLING', 'CANCELLED'] as const satisfies readonly BatchStatus[];
const BatchStatusEnum = Object.fromEntries(STATUSES.map((status) => [status, status])) as Record<BatchStatus, BatchStatus>;
registerEnumType(BatchStatusEnum, { name: 'BatchStatus' });

@ObjectType('BatchProblem', { description: 'What is wrong with the input file; nothing of it was run.' })
export class BatchProblemType {
  @Field(() => String)
  code!: string;

  @Field(() => String)
  message!: string;

  @Field(() => Int, { nullable: true, description: 'Of the file, from 1 on. null: the whole of it.' })
  line!: number | null;

  @Field(() => String, { nullable: true, description: 'The field at fault.' })
  param!: string | null;
}

/** `inputFileName` is resolved apart. */
@ObjectType('Batch')
export class BatchType {
  @Field(() => ID, { description: 'As in `/v1/batches`.' })
  id!: string;

  @Field(() => BatchStatusEnum)
  status!: BatchStatus;

  @Field(() => String, { description: 'What all its requests are for, such as `/v1/chat/completions`.' })
  endpoint!: string;

  @Field(() => [BatchProblemType])
  problems!: BatchProblemType[];

  @Field(() => Int, { description: 'Requests; 0 until the input is validated.' })
  total!: number;

  @Field(() => Int)
  completed!: number;

  @Field(() => Int)
  failed!: number;

  @Field(() => ID, { description: 'Files are read at `/batch-files/<id>`.' })
  inputFileId!: string;

  @Field(() => ID, { nullable: true })
  outputFileId!: string | null;

  @Field(() => ID, { nullable: true })
  errorFileId!: string | null;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date)
  expiresAt!: Date;

  @Field(() => Date, { nullable: true })
  endedAt!: Date | null;
}

export interface BatchView extends BatchType {
  row: BatchRow;
}

export function toBatchView(row: BatchRow): BatchView {
  const { status, outputFileId, errorFileId } = row;
  const ended = { FAILED: row.failedAt, COMPLETED: row.completedAt, EXPIRED: row.expiredAt, CANCELLED: row.cancelledAt } as Partial<Record<BatchStatus, Date | null>>;
  return {
    ...row,
    row,
    id: batchId(row.id),
    problems: row.problems ?? [],
    inputFileId: fileId(row.inputFileId),
    outputFileId: outputFileId && fileId(outputFileId),
    errorFileId: errorFileId && fileId(errorFileId),
    endedAt: ended[status] ?? null,
  };
}

@ObjectType()
export class BatchConnection extends connectionOf(BatchType, 'Batch') {}

@InputType()
export class CreateBatchInput {
  @Field(() => ID, { description: 'Of a file that was sent to `/batch-files` or `/v1/files`.' })
  inputFileId!: string;

  @Field(() => String, { description: '/v1/chat/completions, /v1/completions, /v1/responses or /v1/messages: the url of all lines.' })
  endpoint!: string;
}

@InputType()
export class CancelBatchInput {
  @Field(() => ID)
  batchId!: string;
}

@ObjectType()
export class CreateBatchPayload {
  @Field(() => BatchType)
  batch!: BatchType;
}

@ObjectType()
export class CancelBatchPayload {
  @Field(() => BatchType)
  batch!: BatchType;
}
