/** Batches through the official client, and what came of them. */
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { BatchWorker } from '../src/core/batches/run/batch-worker.js';
import { TEST_MODEL, type TestApp } from './harness.js';
import { until } from './scripted-runner.js';

type Client = OpenAI;
type Batch = OpenAI.Batch;
type Body = Record<string, unknown>;

export const CHAT = '/v1/chat/completions';

export const chatLine = (id: string | number, body: Body = {}): object => ({
  custom_id: String(id),
  method: 'POST',
  url: CHAT,
  body: { model: TEST_MODEL, messages: [{ role: 'user', content: `Request ${id}` }], max_tokens: 8, ...body },
});

export const chatLines = (count: number, body: Body = {}): object[] => Array.from({ length: count }, (_, index) => chatLine(index + 1, body));

export const jsonl = (lines: readonly unknown[]): string => lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');

export async function uploadInput(client: Client, lines: readonly unknown[]): Promise<string> {
  return (await client.files.create({ file: await toFile(Buffer.from(jsonl(lines)), 'requests.jsonl'), purpose: 'batch' })).id;
}

export async function startBatch(client: Client, lines: readonly unknown[], endpoint: Batch['endpoint'] | string = CHAT): Promise<Batch> {
  const input_file_id = await uploadInput(client, lines);
  return client.batches.create({ input_file_id, endpoint: endpoint as '/v1/completions', completion_window: '24h' });
}

/** Generous: what a killed process had is taken up when its lock has run out. */
export const ENDED_WITHIN_MS = 60_000;
const OPEN = ['validating', 'in_progress', 'finalizing', 'cancelling'];

export const ended = (client: Client, id: string): Promise<Batch> =>
  until(async () => {
    const batch = await client.batches.retrieve(id);
    return !OPEN.includes(batch.status) && batch;
  }, ENDED_WITHIN_MS);

export interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; request_id: string; body: Record<string, unknown> & { choices?: { message?: { content: string }; text?: string; finish_reason: string }[]; error?: { code: string; message: string; param: string | null } } } | null;
  error: { code: string; message: string } | null;
}

export async function resultsOf(client: Client, fileId: string | null | undefined): Promise<ResultLine[]> {
  if (!fileId) return [];
  const text = await (await client.files.content(fileId)).text();
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as ResultLine);
}

/** Does now what is done every few seconds. */
export const resume = (test: TestApp): Promise<void> => test.app.get(BatchWorker, { strict: false }).resume();
