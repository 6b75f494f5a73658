import { Presets, SingleBar } from 'cli-progress';
import { formatBytes } from './output.js';

/** A bar on a terminal. Logs of pipelines, and whoever reads JSON, get none. */
export class Progress {
  private readonly bar: SingleBar | null;
  private started = false;

  constructor(label: string, { json }: { json?: boolean }) {
    const options = { format: `${label} {bar} {sent} of {all}`, stream: process.stderr, hideCursor: true, clearOnComplete: true };
    this.bar = process.stderr.isTTY && !json ? new SingleBar(options, Presets.shades_classic) : null;
  }

  show(done: number, total: number): void {
    if (!this.bar || total === 0) return;
    const values = { sent: formatBytes(done), all: formatBytes(total) };
    if (!this.started) this.bar.start(total, done, values);
    else this.bar.update(done, values);
    this.started = true;
  }

  end(): void {
    this.bar?.stop();
  }
}
