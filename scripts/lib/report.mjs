/**
 * What the user sees while things happen: one line a step. On a terminal the line is redrawn with the time it has
 * taken; in a log file each step prints once when it starts and once when it ends.
 */
import { logTail } from '../../packages/local-services/src/process.mjs';
import { Failure } from './failure.mjs';

const seconds = (ms) => (ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`);

/** @typedef {{ note(text: string): void, result(text: string): void }} Step note: while it runs; result: beside its end */

export class Report {
  #terminal = process.stdout.isTTY === true;
  #running = new Set();
  #timer = null;
  #drawn = 0;

  /** @param {{ quiet?: boolean }} [options] quiet: for tests, which read the result instead */
  constructor({ quiet = false } = {}) {
    this.quiet = quiet;
    // A reader that goes away (npm start | head) must not take the services down with it.
    process.stdout.on('error', () => {});
    process.stderr.on('error', () => {});
  }

  /** @param {string} text */
  line(text = '') {
    if (this.quiet) return;
    this.#erase();
    process.stdout.write(`${text}\n`);
    this.#draw();
  }

  /**
   * Runs one named step. It is shown as done only when it did something worth a line, or took long enough to notice.
   * @template T @param {string} name @param {(step: Step) => Promise<T>} work @returns {Promise<T>}
   */
  async step(name, work) {
    const step = {
      name,
      began: Date.now(),
      text: '',
      note: (text) => this.#note(step, text),
      result: (text) => void (step.text = text),
    };
    this.#running.add(step);
    if (!this.#terminal) this.line(`  … ${name}`);
    this.#animate();
    try {
      const result = await work(step);
      this.#end(step, '✓');
      return result;
    } catch (error) {
      this.#end(step, '✗');
      throw error;
    }
  }

  /** @param {unknown} error */
  failure(error) {
    if (!(error instanceof Failure))
      return this.line(`\nThis is a bug in Aril's start script:\n${error?.stack ?? error}`);
    this.line(`\n✗ ${error.message}`);
    if (error.detail) this.line(indent(error.detail));
    if (error.log) this.line(`  The end of ${error.log}:\n${indent(logTail(error.log))}`);
    this.line(`\n  ${error.fix.replaceAll('\n', '\n  ')}\n`);
  }

  #note(step, text) {
    step.text = text;
    if (this.#terminal || this.quiet) return this.#draw();
    if (text === '') return;
    // Not a terminal: one line every few seconds is progress, more is noise.
    if (Date.now() - (step.noted ?? step.began) < 5_000) return;
    step.noted = Date.now();
    this.line(`    ${step.name}: ${text}`);
  }

  #end(step, mark) {
    this.#running.delete(step);
    if (this.#running.size === 0) clearInterval(this.#timer);
    const detail = step.text ? ` (${step.text})` : '';
    this.line(`  ${mark} ${step.name}${detail}  ${seconds(Date.now() - step.began)}`);
  }

  #animate() {
    if (!this.#terminal || this.quiet || this.#running.size > 1) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#draw(), 200);
    this.#timer.unref();
  }

  #erase() {
    if (this.#drawn > 0) process.stdout.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #draw() {
    if (!this.#terminal || this.quiet) return;
    this.#erase();
    const width = (process.stdout.columns ?? 80) - 1;
    for (const { name, text, began } of this.#running) {
      const line = `  … ${name}${text ? ` (${text})` : ''}  ${seconds(Date.now() - began)}`;
      process.stdout.write(`${line.slice(0, width)}\n`);
      this.#drawn++;
    }
  }
}

const indent = (text) =>
  text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
