/**
 * Laying out a page takes milliseconds of nothing else, and a statement may have many: a thread does it, while the
 * process goes on relaying tokens. One at a time, so that nobody can take all of the machine with downloads.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FullStatement } from '../statement.view.js';

/** As built, also where this file is run as TypeScript: Node's threads cannot do that. */
const THREAD = fileURLToPath(new URL('../../../../dist/core/billing/documents/statement-pdf-thread.js', import.meta.url));

let previous: Promise<unknown> = Promise.resolve();

export function statementPdf(statement: FullStatement): Promise<Buffer> {
  const pdf = previous.then(() => layOut(statement));
  previous = pdf.catch(() => undefined);
  return pdf;
}

const layOut = (statement: FullStatement): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const thread = new Worker(THREAD, { workerData: statement, name: 'statement-pdf' });
    thread.once('message', (bytes: Uint8Array) => resolve(Buffer.from(bytes)));
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`the thread that lays out statements ended with ${code}`)));
  });
