/** A thread with a tokenizer, and who waits for it. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { requestFailure } from './engine-failures.js';
import type { TextInput, TokenizerReply, TokenizerThreadData } from './tokenizer-protocol.js';

/** The built file, also when the sources beside it run (in tests). */
const ENTRY = fileURLToPath(new URL('../../dist/engine/tokenizer-worker.js', import.meta.url));

/** What nobody waits for any more is ended with its thread after this long: longer than a thread takes to start. */
const ABANDONED_MS_MAX = 1_000;

interface Call {
  input: TextInput;
  length: number;
  resolve(tokens: number[]): void;
  reject(error: unknown): void;
}

/**
 * The thread has one call at a time, so that what is aborted before its turn costs nothing, and a thread that dies takes
 * only what it was at with it.
 */
export class TokenizerLane {
  #worker: Worker | null = null;
  #current: Call | null = null;
  #abandoned: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #waiting: Call[] = [];

  constructor(private readonly data: TokenizerThreadData) {}

  /** Starts the thread, which otherwise the first call does: it reads the model's tokenizer and keeps a copy of it. */
  start(): Worker {
    const worker = new Worker(ENTRY, { workerData: this.data, name: 'tokenizer' });
    worker.on('message', (reply: TokenizerReply) => this.#take(worker, reply));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', (code) => this.#lose(worker, new Error(`the tokenizer's thread ended with ${code}`)));
    worker.unref(); // last, as listeners refer to it; the requests keep the process alive, not the thread
    return (this.#worker = worker);
  }

  /**
   * The shortest comes first: somebody's many long ones hold up a shorter one no longer than the one that is at work.
   * Rejects with `EngineFailure`, or with the signal's reason as soon as it is aborted.
   */
  run(input: TextInput, length: number, signal?: AbortSignal): Promise<number[]> {
    return new Promise<number[]>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw requestFailure('closed', '');
      const leave = (): void => {
        this.#leave(call);
        reject(signal?.reason as Error);
      };
      const done = (): void => signal?.removeEventListener('abort', leave);
      const call: Call = {
        input,
        length,
        resolve: (tokens) => (done(), resolve(tokens)),
        reject: (error) => (done(), reject(error as Error)),
      };
      signal?.addEventListener('abort', leave, { once: true });
      const longer = this.#waiting.findIndex((other) => other.length > length);
      this.#waiting.splice(longer < 0 ? this.#waiting.length : longer, 0, call);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#abandoned);
    const left = [this.#current, ...this.#waiting.splice(0)];
    this.#current = null;
    for (const call of left) call?.reject(requestFailure('closed', ''));
    await this.#worker?.terminate();
  }

  #next(): void {
    if (this.#current !== null || this.#closed) return;
    const call = this.#waiting.shift();
    if (!call) return;
    this.#current = call;
    (this.#worker ?? this.start()).postMessage(call.input);
  }

  #leave(call: Call): void {
    if (this.#current !== call) {
      this.#waiting.splice(this.#waiting.indexOf(call), 1);
      return;
    }
    const worker = this.#worker;
    // A regular expression of the model's can take for ever with some texts, and others wait.
    this.#abandoned = setTimeout(() => void worker?.terminate(), ABANDONED_MS_MAX).unref();
  }

  #take(worker: Worker, reply: TokenizerReply): void {
    if (worker !== this.#worker) return;
    const call = this.#settle();
    if ('tokens' in reply) call?.resolve(Array.from(reply.tokens));
    else call?.reject(requestFailure(reply.code, reply.reason));
    this.#next();
  }

  /** An error is followed by an exit; a thread that was replaced has none of our calls. */
  #lose(worker: Worker, cause: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#settle()?.reject(requestFailure('tokenizer_failed', '', cause));
    this.#next();
  }

  #settle(): Call | null {
    clearTimeout(this.#abandoned);
    const call = this.#current;
    this.#current = null;
    return call;
  }
}
