/** Reads a whole input file before anything of it is run: a batch with a line that is wrong is not begun. */
import { setImmediate } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { ObjectStore } from '@aril/object-store';
import { TenantDatabase } from '../../../base/prisma/tenant-database.js';
import { OBJECT_STORE } from '../../../integrations/object-storage/object-storage.module.js';
import { BatchFileModel } from '../../../models/batch-file.model.js';
import { BatchModel, type BatchProblem, type BatchRow } from '../../../models/batch.model.js';
import { objectKey } from '../files/batch-file.service.js';
import { LineProblem, readRequest } from './batch-request.js';
import { type InputFile, type InputLine, linesOf } from './input-lines.js';

/** OpenAI's bound. */
export const LINES_MAX = 50_000;
/** A file that is wrong throughout needs no thousands of sentences. */
const PROBLEMS_MAX = 100;
/** Lines between which others have their turn: some take a millisecond to check. */
const LINES_AT_ONCE = 20;

interface Found {
  total: number;
  problems: BatchProblem[];
}

@Injectable()
export class BatchValidator {
  constructor(
    private readonly db: TenantDatabase,
    private readonly batches: BatchModel,
    private readonly files: BatchFileModel,
    @Inject(OBJECT_STORE) private readonly objects: ObjectStore,
  ) {}

  async validate(batch: BatchRow, stop: AbortSignal): Promise<void> {
    const { tenantId, id, endpoint } = batch;
    const { total, problems } = await this.check(await this.inputOf(batch), endpoint, stop);
    if (stop.aborted) return;
    const now = new Date();
    const data = problems.length > 0 ? { status: 'FAILED' as const, failedAt: now, problems: problems.map((one) => ({ ...one })) } : { status: 'IN_PROGRESS' as const, inProgressAt: now, total };
    await this.db.inTenant(tenantId, () => this.batches.change(id, ['VALIDATING'], data));
  }

  /** Also of a file that has expired since: as long as a batch reads it, it is there. */
  async inputOf({ tenantId, inputFileId }: BatchRow): Promise<InputFile> {
    const bytes = await this.db.inTenant(tenantId, () => this.files.bytesOf(inputFileId));
    return { key: objectKey({ tenantId, id: inputFileId }), bytes };
  }

  private async check(file: InputFile, endpoint: string, stop: AbortSignal): Promise<Found> {
    const ids = new Map<string, number>();
    const problems: BatchProblem[] = [];
    let total = 0;
    for await (const line of linesOf(this.objects, file)) {
      if (++total > LINES_MAX) problems.push(problemOf('too_many_requests', `The file: found more, expected at most ${LINES_MAX} requests.`));
      else problems.push(...problemsOf(line, endpoint, ids));
      if (stop.aborted || problems.length >= PROBLEMS_MAX || total > LINES_MAX) break;
      if (total % LINES_AT_ONCE === 0) await setImmediate();
    }
    if (total === 0) problems.push(problemOf('empty_file', 'The file: found no request, expected at least one.'));
    return { total, problems };
  }
}

const problemOf = (code: string, message: string, line: number | null = null, param: string | null = null): BatchProblem =>
  ({ code, message: storable(message), line, param: param && storable(param) });

/** Names of fields are the caller's, and Postgres refuses some characters in JSON. */
const storable = (text: string): string => Buffer.from(text).toString().replaceAll('\0', '\u{FFFD}');

/** `ids`: those that were found so far, and where. */
function problemsOf(line: InputLine, endpoint: string, ids: Map<string, number>): BatchProblem[] {
  const { position } = line;
  try {
    const { customId } = readRequest(line, endpoint);
    const first = ids.get(customId);
    if (first !== undefined) return [problemOf('duplicate_custom_id', `custom_id: expected one that no other line has, found that of line ${first}.`, position, 'custom_id')];
    ids.set(customId, position);
    return [];
  } catch (error) {
    if (!(error instanceof ArilError)) throw error;
    const code = error instanceof LineProblem ? error.problem : 'invalid_request';
    return [problemOf(code, error.message, position, error.field ?? null)];
  }
}
