import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Response } from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Caller, CurrentCaller } from '../../base/auth/caller.js';
import { csv } from '../../base/csv.js';
import type { AuditEventRow } from '../../models/audit-event.model.js';
import { mayReadAuditLog } from './audit.policy.js';
import { AuditService } from './audit.service.js';

type Column = [name: string, value: (row: AuditEventRow) => string | null];

const COLUMNS: Column[] = [
  ['id', (row) => row.id],
  ['time', (row) => row.createdAt.toISOString()],
  ['actor_type', (row) => row.actorType],
  ['actor_id', (row) => row.actorId],
  ['actor_name', (row) => row.actorName],
  ['actor_handle', (row) => row.actorHandle],
  ['action', (row) => row.action],
  ['resource_type', (row) => row.resourceType],
  ['resource_id', (row) => row.resourceId],
  ['resource_label', (row) => row.resourceLabel],
  ['changes', (row) => JSON.stringify(row.changes)],
  ['request_id', (row) => row.requestId],
  ['ip_address', (row) => row.ipAddress],
  ['user_agent', (row) => row.userAgent],
];

interface Format {
  type: string;
  head: string;
  write: (rows: readonly AuditEventRow[]) => string;
}

const FORMATS = new Map<string, Format>([
  [
    'csv',
    { type: 'text/csv; charset=utf-8', head: csv([COLUMNS.map(([name]) => name)]), write: (rows) => csv(rows.map((row) => COLUMNS.map(([, value]) => value(row)))) },
  ],
  [
    'jsonl',
    { type: 'application/jsonl; charset=utf-8', head: '', write: (rows) => rows.map(({ tenantId: _, ...row }) => `${JSON.stringify(row)}\n`).join('') },
  ],
]);

/** The audit log, or what of it a filter lets through, as a file. It is sent as it is read, however long it is. */
@Controller('audit-events')
export class AuditExportController {
  constructor(private readonly service: AuditService) {}

  @Get(':file')
  async download(@CurrentCaller() caller: Caller, @Param('file') file: string, @Query() query: object, @Res() response: Response): Promise<void> {
    mayReadAuditLog(caller);
    const format = /^events\.(csv|jsonl)$/.test(file) ? FORMATS.get(file.slice('events.'.length)) : undefined;
    if (!format) throw new ArilError('BAD_INPUT', 'file: expected events.csv or events.jsonl', 'file');
    const batches = this.service.batches(caller.tenantId, query);
    response.attachment(`audit-${file}`);
    response.setHeader('Content-Type', format.type);
    response.setHeader('Cache-Control', 'private, no-store');
    await pipeline(Readable.from(written(batches, format)), response);
  }
}

async function* written(batches: AsyncIterable<AuditEventRow[]>, { head, write }: Format): AsyncGenerator<string> {
  if (head) yield head;
  for await (const rows of batches) if (rows.length > 0) yield write(rows);
}
