import type { Response } from 'express';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BatchFileRow } from '../../../models/batch-file.model.js';

/** As it is read, however large it is. What tenants have written is never shown by a browser. */
export async function sendFile({ filename, bytes }: BatchFileRow, content: Readable, response: Response): Promise<void> {
  response.attachment(filename);
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('Content-Length', Number(bytes));
  response.setHeader('Cache-Control', 'private, no-store');
  await pipeline(content, response).catch((error: unknown) => {
    if (!response.destroyed) throw error;
  });
}
