/** Time to the first token and the rate after it, from the moments tokens are seen. `now` is in milliseconds. */
export class SpeedMeter {
  private first: number | null = null;
  private firstTokens = 0;
  private last = 0;
  private tokens = 0;

  constructor(
    private readonly startedMs: number,
    private readonly now: () => number,
  ) {}

  saw(tokenCount: number): void {
    if (tokenCount <= 0) return;
    this.last = this.now();
    if (this.first === null) {
      this.first = this.last;
      this.firstTokens = tokenCount;
    }
    this.tokens += tokenCount;
  }

  get ttftMs(): number | null {
    return this.first === null ? null : this.first - this.startedMs;
  }

  get tokenCount(): number {
    return this.tokens;
  }

  /** Tokens after the first event over the time after it; the wait before is the TTFT's. */
  get tokensPerSecond(): number | null {
    const seconds = this.first === null ? 0 : (this.last - this.first) / 1_000;
    return seconds > 0 ? (this.tokens - this.firstTokens) / seconds : null;
  }
}
