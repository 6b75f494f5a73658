/**
 * Keeps processes running: one that ends by itself is named, with the end of its log, and started again, each time
 * after a longer pause, until it has stayed up for a while. Stops them in the opposite order of their start.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { logTail } from '../../packages/local-services/src/process.mjs';

const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 30_000;
/** A process that stayed up this long has recovered: its next pause is short again. */
const STABLE_MS = 60_000;

/** @typedef {{ exited: Promise<{ code: number | null, signal: string | null }>, stop(): Promise<void>, log: string, pid?: number }} Running */
/** @typedef {{ name: string, start: () => Promise<Running>, current: Running, pause: number, startedAt: number }} Member */

export class Supervisor {
  /** @type {Member[]} */
  #members = [];
  #stopping = false;

  /** @param {(text: string) => void} tell */
  constructor(tell) {
    this.tell = tell;
  }

  /**
   * Starts one process and keeps it up. The first start's failure is the caller's.
   * @param {string} name @param {() => Promise<Running>} start
   */
  async run(name, start) {
    const member = { name, start, current: await start(), pause: PAUSE_MS_MIN, startedAt: Date.now() };
    this.#members.push(member);
    // Ctrl-C came while it was starting, after the others were told to stop.
    if (this.#stopping) await member.current.stop();
    void this.#watch(member);
    return member.current;
  }

  /** @param {string} name The process behind a name, as it is now; tests kill it. */
  find(name) {
    return this.#members.find((member) => member.name === name)?.current;
  }

  async #watch(member) {
    while (!this.#stopping) {
      const { code, signal } = await member.current.exited;
      if (this.#stopping) return;
      await this.#restart(member, signal ? `was ended by ${signal}` : `ended with status ${code}`);
    }
  }

  async #restart(member, how) {
    if (Date.now() - member.startedAt > STABLE_MS) member.pause = PAUSE_MS_MIN;
    this.tell(
      `${member.name} ${how}; starting it again in ${member.pause / 1000} s. The end of ${member.current.log}:\n${logTail(member.current.log, 5)}`,
    );
    for (;;) {
      await sleep(member.pause);
      member.pause = Math.min(PAUSE_MS_MAX, member.pause * 2);
      if (this.#stopping) return;
      try {
        member.startedAt = Date.now();
        member.current = await member.start();
        if (this.#stopping) return void (await member.current.stop());
        return;
      } catch (error) {
        this.tell(`${member.name} could not be started again: ${error.message}`);
      }
    }
  }

  /** @param {string[][]} order names, group by group; a group stops side by side. Names that never started are skipped. */
  async stop(order) {
    this.#stopping = true;
    const stopOne = (name) => this.#members.find((member) => member.name === name)?.current.stop();
    for (const group of order) await Promise.all(group.map(stopOne));
  }
}
