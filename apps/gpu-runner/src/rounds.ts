/** Something that is done again and again. A round that has to wait is not joined by another one. */
export class Rounds {
  #timer: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(
    private readonly intervalMs: number,
    private readonly round: () => Promise<void>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.once(), this.intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Now, unless one is under way. Never rejects. */
  async once(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.round();
    } catch (error) {
      this.onFailure(error);
    } finally {
      this.#busy = false;
    }
  }
}
