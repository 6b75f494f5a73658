/** The entry of the thread that `statement-pdf.ts` starts: one statement in, one document out. */
import { parentPort, workerData } from 'node:worker_threads';
import type { FullStatement } from '../statement.view.js';
import { statementDocument } from './statement-pdf-document.js';

parentPort?.postMessage(await statementDocument(workerData as FullStatement));
