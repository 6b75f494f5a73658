import type { GenerationRun, RunOutcome } from './generation-run.js';

interface Running {
  run: GenerationRun;
  /** Resolves when the run is over, however it went. */
  finished: Promise<unknown>;
}

/** The generations this runner works on now, by generation id. */
export class RunningGenerations {
  readonly #byId = new Map<string, Running>();
  #whenNone: (() => void)[] = [];

  async during(run: GenerationRun, execute: () => Promise<RunOutcome>): Promise<RunOutcome> {
    const { generationId } = run.job;
    const outcome = execute();
    this.#byId.set(generationId, { run, finished: outcome.catch(() => {}) });
    try {
      return await outcome;
    } finally {
      this.#byId.delete(generationId);
      if (this.#byId.size === 0) for (const resolve of this.#whenNone.splice(0)) resolve();
    }
  }

  /** Resolves as soon as none is running. */
  whenNone(): Promise<void> {
    return this.#byId.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenNone.push(resolve));
  }

  get(generationId: string): Running | undefined {
    return this.#byId.get(generationId);
  }

  all(): GenerationRun[] {
    return [...this.#byId.values()].map(({ run }) => run);
  }

  ids(): string[] {
    return [...this.#byId.keys()];
  }
}
