/** A worker thread that compiles grammars and computes masks, seen from the main thread. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  sourceKey,
  SOURCES_MAX,
  type GrammarCall,
  type GrammarReply,
  type GrammarThreadData,
  type MaskCall,
} from './protocol.js';

/** The built file, also when the sources beside it run (in tests). */
const ENTRY = fileURLToPath(new URL('../../dist/constraint/grammar-worker.js', import.meta.url));
/** A call that takes longer ends the thread: nothing else can interrupt the library. Time for a busy machine, too. */
const CALL_MS_MAX = 30_000;

export interface GrammarThreadEvents {
  onReply(call: MaskCall, reply: GrammarReply): void;
  /** The thread is gone; `call` is what it was at, the later ones have not begun. */
  onDeath(thread: GrammarThread, call: MaskCall | undefined, reason: string): void;
}

export class GrammarThread {
  readonly #worker: Worker;
  readonly #pending: MaskCall[] = [];
  readonly #matchers = new Set<string>();
  readonly #sources = new Set<string>();
  #deadline: NodeJS.Timeout | undefined;
  #dead = false;

  constructor(
    data: GrammarThreadData,
    private readonly events: GrammarThreadEvents,
  ) {
    this.#worker = new Worker(ENTRY, { workerData: data, name: 'grammar' });
    this.#worker.on('message', (reply: GrammarReply) => this.#take(reply));
    this.#worker.on('error', (error) => this.#die(error.message));
    this.#worker.on('exit', (code) => this.#die(`the thread ended with ${code}`));
    this.#worker.unref(); // last, as listeners refer to it; the requests keep the process alive, not the thread
  }

  get matchers(): number {
    return this.#matchers.size;
  }

  hasSource(key: string): boolean {
    return this.#sources.has(key);
  }

  send(call: GrammarCall): void {
    if (call.call === 'close') {
      this.#matchers.delete(call.matcher);
    } else {
      this.#pending.push(call);
      if (this.#pending.length === 1) this.#watch();
    }
    if (call.call === 'open') {
      this.#matchers.add(call.matcher);
      this.#remember(sourceKey(call.source));
    }
    this.#worker.postMessage(call);
  }

  #remember(source: string): void {
    this.#sources.delete(source);
    this.#sources.add(source);
    for (const oldest of this.#sources) {
      if (this.#sources.size <= SOURCES_MAX) return;
      this.#sources.delete(oldest);
    }
  }

  async terminate(): Promise<void> {
    this.#dead = true;
    clearTimeout(this.#deadline);
    await this.#worker.terminate();
  }

  #take(reply: GrammarReply): void {
    const call = this.#pending.shift();
    this.#watch();
    if (call && !this.#dead) this.events.onReply(call, reply);
  }

  /** Times the call that is first in line. */
  #watch(): void {
    clearTimeout(this.#deadline);
    if (this.#pending.length === 0) return;
    this.#deadline = setTimeout(() => this.#die(`it took longer than ${CALL_MS_MAX / 1000} s`), CALL_MS_MAX);
    this.#deadline.unref();
  }

  #die(reason: string): void {
    if (this.#dead) return;
    void this.terminate();
    this.events.onDeath(this, this.#pending[0], reason);
  }
}
