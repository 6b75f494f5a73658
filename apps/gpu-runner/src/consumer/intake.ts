import type { Slots } from '../engine/slots.js';

/** The part of BullMQ's worker that is turned here. */
export interface Taker {
  /** Jobs in work beyond which no more are taken. */
  concurrency: number;
}

/**
 * How much is taken from the queue: BullMQ counts jobs, the engine's slots are choices, of which a job has up to 16. What
 * is taken and has to wait is no longer in the queue's fair order, so it must not be much.
 */
export class Intake {
  #jobs = 0;
  #choices = 0;
  #taker: Taker | null = null;

  constructor(private readonly slots: Slots) {}

  control(taker: Taker): void {
    this.#taker = taker;
    this.#adjust();
  }

  get full(): boolean {
    return this.#choices >= this.slots.taken;
  }

  async during<T>(choices: number, work: () => Promise<T>): Promise<T> {
    this.#add(1, choices);
    try {
      return await work();
    } finally {
      // Before BullMQ hears that the job is over: it then decides whether to take another.
      this.#add(-1, -choices);
    }
  }

  #add(jobs: number, choices: number): void {
    this.#jobs += jobs;
    this.#choices += choices;
    this.#adjust();
  }

  /** As many more jobs as there are choices to take: which ones come is not known, and most have one. */
  #adjust(): void {
    if (this.#taker) this.#taker.concurrency = Math.max(1, this.#jobs + Math.max(0, this.slots.taken - this.#choices));
  }
}
