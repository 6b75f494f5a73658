/** What comes in less time than this came at once, and says nothing about how fast it was made. */
const MEASURED_MS_MIN = 50;

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
    const elapsedMs = this.first === null ? 0 : this.last - this.first;
    return elapsedMs >= MEASURED_MS_MIN ? ((this.tokens - this.firstTokens) * 1_000) / elapsedMs : null;
  }
}
