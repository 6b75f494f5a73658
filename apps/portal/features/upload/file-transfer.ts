import { DetailedError, Upload } from 'tus-js-client';
import type { AdapterFileName } from './chosen-files';

export type TransferState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed';

export interface Transfer {
  state: TransferState;
  sent: number;
  total: number;
  error?: string;
}

/** One request carries this much: little is lost when the connection breaks, and memory stays small. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const RETRY_DELAYS_MS = [0, 1_000, 3_000, 5_000, 10_000];

const answerOf = (error: Error | DetailedError) =>
  'originalResponse' in error ? error.originalResponse : null;

const messageOf = (error: Error | DetailedError): string => {
  const answer = answerOf(error);
  if (!answer) return 'The connection was lost. It goes on by itself when the connection is back, or with Resume.';
  const body = answer.getBody().trim();
  return body && body.length < 500 && !body.startsWith('<')
    ? body
    : `The API refused the file (HTTP ${answer.getStatus()}).`;
};

/**
 * Sends one file of an adapter, resumably. The address of an unfinished upload is kept in the browser under the
 * adapter's id, so that the same file chosen again, even after a reload, goes on where it stopped.
 */
export class FileTransfer {
  private readonly upload: Upload;
  private transfer: Transfer;
  /** Set when it stopped for want of a connection rather than by a refusal: then it goes on once there is one. */
  private cutOff = false;

  constructor(
    adapterId: string,
    readonly name: AdapterFileName,
    file: File,
    private readonly onChange: (transfer: Transfer) => void,
  ) {
    this.transfer = { state: 'waiting', sent: 0, total: file.size };
    this.upload = new Upload(file, {
      endpoint: '/api/uploads',
      metadata: { adapterId, filename: name },
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      fingerprint: () => Promise.resolve(['aril', adapterId, name, file.size, file.lastModified].join(':')),
      onProgress: (sent, total) => this.change({ state: 'sending', sent, total }),
      onSuccess: () => this.change({ state: 'done', sent: file.size }),
      onError: (error) => {
        this.cutOff = !answerOf(error);
        this.change({ state: 'failed', error: messageOf(error) });
      },
    });
  }

  async start(): Promise<void> {
    const previous = await this.upload.findPreviousUploads();
    if (previous[0]) this.upload.resumeFromPreviousUpload(previous[0]);
    this.resume();
  }

  resume(): void {
    if (this.transfer.state === 'done') return;
    this.change({ state: 'sending' });
    this.upload.start();
  }

  /** The browser has a network again. What was paused, or refused, stays as it is. */
  reconnect(): void {
    if (this.transfer.state === 'failed' && this.cutOff) this.resume();
  }

  async pause(): Promise<void> {
    if (this.transfer.state === 'done') return;
    await this.upload.abort();
    this.change({ state: 'paused' });
  }

  private change(change: Partial<Transfer>): void {
    const { error: _, ...kept } = this.transfer;
    this.transfer = { ...kept, ...change };
    this.onChange(this.transfer);
  }
}
