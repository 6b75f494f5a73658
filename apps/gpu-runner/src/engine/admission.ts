/**
 * The door between jobs that were taken and the engine: back-pressure lives here. While closed, nothing new is
 * submitted; what is running goes on. It is closed while Redis does not take our tokens, because every token generated
 * then has to be kept in memory, and the generation may have been given to another runner meanwhile.
 *
 * Fairness between tenants belongs here too: waiting generations are let in in the order they came; a fair order
 * replaces `#waiting` by a queue ordered by each tenant's virtual start time.
 */
export class Admission {
  #open = true;
  #waiting: { enter: () => void }[] = [];

  get isOpen(): boolean {
    return this.#open;
  }

  close(): void {
    this.#open = false;
  }

  open(): void {
    this.#open = true;
    for (const { enter } of this.#waiting.splice(0)) enter();
  }

  /** Resolves when the caller may submit; rejects with the signal's reason when it is aborted first. */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.#open) await this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const place = {
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== place);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(place);
    });
  }
}
