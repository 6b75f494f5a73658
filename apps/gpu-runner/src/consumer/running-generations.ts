import type { GenerationRun, RunOutcome } from './generation-run.js';

interface Running {
  run: GenerationRun;
  /** Resolves when the run is over, however it went. */
  finished: Promise<unknown>;
}

/** The generations this runner works on now, by generation id. */
export class RunningGenerations {
  readonly #byId = new Map<string, Running>();

  async during(run: GenerationRun, execute: () => Promise<RunOutcome>): Promise<RunOutcome> {
    const { generationId } = run.job;
    const outcome = execute();
    this.#byId.set(generationId, { run, finished: outcome.catch(() => {}) });
    try {
      return await outcome;
    } finally {
      this.#byId.delete(generationId);
    }
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
