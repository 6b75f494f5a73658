/** The lines of a batch that are under way in this process. */
import { setMaxListeners } from 'node:events';
import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchRow } from '../../../models/batch.model.js';
import type { LineResult, NotRun } from './batch-result.js';
import type { InputLine } from './input-lines.js';
import type { LineRun } from './line-runner.js';

const STORE_RETRY_MS = 1_000;

interface Work {
  run: (run: LineRun) => Promise<LineResult>;
  store: (line: InputLine, result: LineResult) => Promise<void>;
}

export class BatchFlight {
  private readonly logger = new Logger(BatchFlight.name);
  private readonly under = new Set<InputLine>();
  private readonly ending = new AbortController();
  private hasLanded = false;
  private wake: () => void = () => undefined;

  constructor(
    private readonly batch: BatchRow,
    private readonly stop: AbortSignal,
    private readonly work: Work,
  ) {
    // Every line listens.
    setMaxListeners(0, stop, this.ending.signal);
    stop.addEventListener('abort', () => this.wake(), { once: true });
  }

  get size(): number {
    return this.under.size;
  }

  start(line: InputLine): void {
    this.under.add(line);
    void this.fly(line);
  }

  /** Nothing is begun any more, and what is begun ends soon. */
  end(why: NotRun): void {
    if (!this.ending.signal.aborted) this.ending.abort(why);
  }

  /** Until a line has its result since this was asked last, but not longer than that. */
  async landing(ms: number): Promise<void> {
    if (!this.hasLanded && !this.stop.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.hasLanded = false;
  }

  private async fly(line: InputLine): Promise<void> {
    const { batch, stop } = this;
    try {
      const result = await this.work.run({ batch, line, stop, ending: this.ending.signal });
      await this.store(line, result);
    } catch (error) {
      if (!stop.aborted) this.logger.error({ batchId: batch.id, line: line.position, err: error }, 'a line of a batch was lost sight of');
    } finally {
      this.under.delete(line);
      this.hasLanded = true;
      this.wake();
    }
  }

  /** A database that is away has it when it is back; if this process does not live to see that, another finds the answer. */
  private async store(line: InputLine, result: LineResult): Promise<void> {
    for (;;) {
      try {
        return await this.work.store(line, result);
      } catch (error) {
        this.stop.throwIfAborted();
        this.logger.warn({ batchId: this.batch.id, err: error }, 'the result of a line is stored later');
        await sleep(STORE_RETRY_MS, undefined, { signal: this.stop });
      }
    }
  }
}
