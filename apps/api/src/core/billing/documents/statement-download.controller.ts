import { Controller, Get, Param, Res } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Response } from 'express';
import { type Caller, CurrentCaller } from '../../../base/auth/caller.js';
import { mayReadStatements } from '../billing.policy.js';
import { StatementService } from '../statement.service.js';
import type { FullStatement } from '../statement.view.js';
import { statementCsv } from './statement-csv.js';
import { statementJson } from './statement-json.js';
import { statementPdf } from './statement-pdf.js';

interface Format {
  type: string;
  write: (statement: FullStatement) => string | Promise<Buffer>;
}

const FORMATS = new Map<string, Format>([
  ['pdf', { type: 'application/pdf', write: statementPdf }],
  ['csv', { type: 'text/csv; charset=utf-8', write: statementCsv }],
  ['json', { type: 'application/json; charset=utf-8', write: statementJson }],
]);

/** Statements as files, for browsers with a session and for programs with a key. */
@Controller('statements')
export class StatementDownloadController {
  constructor(private readonly statements: StatementService) {}

  @Get(':file')
  async download(@CurrentCaller() caller: Caller, @Param('file') file: string, @Res() response: Response): Promise<void> {
    mayReadStatements(caller);
    const dot = file.lastIndexOf('.');
    const format = FORMATS.get(file.slice(dot + 1));
    if (dot < 1 || !format) {
      throw new ArilError('BAD_INPUT', 'file: expected the id of a statement, or a month as in 2026-10, followed by .pdf, .csv or .json', 'file');
    }
    const statement = await this.statements.find(caller.tenantId, file.slice(0, dot));
    const body = await format.write(await this.statements.withLines(caller.tenantId, statement));
    // `attachment` writes a file name of ours; a tenant's name is not in it.
    response.attachment(fileName(statement.number, statement.month, file.slice(dot)));
    response.setHeader('Content-Type', format.type);
    response.setHeader('Cache-Control', 'private, no-store');
    response.send(body);
  }
}

const fileName = (number: string | null, month: string, extension: string): string =>
  `statement-${month}${number ? `-${number}` : '-preview'}${extension}`;
