import { ERROR_CODES, type GenerationJob, type Settlement } from '@aril/contracts';
import { Counter, Gauge, Histogram, LATENCY_BUCKETS_S, TOKEN_BUCKETS_S, type Registry } from '@aril/metrics';
import type { RunOutcome } from '../consumer/generation-run.js';

/**
 * What a runner counts of generations and of their adapters; docs/metrics.md says what each is good for. Labels hold what
 * there is a handful of, and nothing of tenants. Times that begin at the API's admission are as right as the machines'
 * clocks are together.
 */
export class RunnerMetrics {
  readonly #generations: Counter<'outcome'>;
  readonly #errors: Counter<'code'>;
  readonly #tokens: Record<'prompt' | 'cached' | 'output', Counter>;
  readonly #times: Record<'queue' | 'firstToken' | 'perToken' | 'whole' | 'adapterWait', Histogram>;
  readonly #fetches: Histogram<'outcome'>;

  constructor(readonly registry: Registry, runnerId: string) {
    const registers = [registry];
    const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []): Counter<L> => new Counter({ name, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets = LATENCY_BUCKETS_S): Histogram => new Histogram({ name, help, buckets, registers });
    new Gauge({ name: 'aril_runner_info', help: 'Always 1: which runner this is, as its log lines name it.', labelNames: ['runner_id'], registers }).set({ runner_id: runnerId }, 1);
    this.#generations = counter('aril_runner_generations_total', 'Generations that this runner is done with, by how.', ['outcome']);
    this.#errors = counter('aril_runner_generation_errors_total', 'Generations that ended with an error, by its code.', ['code']);
    this.#tokens = {
      prompt: counter('aril_runner_prompt_tokens_total', 'Prompt tokens of generations that ended.'),
      cached: counter('aril_runner_cached_tokens_total', 'Of the prompt tokens, those found in the prefix cache.'),
      output: counter('aril_runner_output_tokens_total', 'Tokens generated for generations that ended.'),
    };
    this.#times = {
      queue: histogram('aril_runner_queue_seconds', 'From admission by the API until the engine has the generation; its adapter is resident then.'),
      firstToken: histogram('aril_runner_time_to_first_token_seconds', 'From admission by the API to the first token.'),
      perToken: histogram('aril_runner_time_per_output_token_seconds', 'From one token of an answer to the next, mean of each generation.', TOKEN_BUCKETS_S),
      whole: histogram('aril_runner_generation_seconds', 'From admission by the API to the end.'),
      adapterWait: histogram('aril_runner_adapter_wait_seconds', 'How long a generation waited for its adapter to be resident; next to 0 where it was.'),
    };
    this.#fetches = new Histogram({ name: 'aril_runner_adapter_fetch_seconds', help: 'Fetching an adapter from the object store to disk, tries included.', labelNames: ['outcome'], buckets: LATENCY_BUCKETS_S, registers });
    // Rates of what has not happened yet are 0, not missing.
    for (const outcome of ['stop', 'length', 'cancelled', 'error', 'handed_back', 'lost', 'failed']) this.#generations.inc({ outcome }, 0);
    for (const code of Object.keys(ERROR_CODES)) this.#errors.inc({ code }, 0);
    for (const outcome of ['fetched', 'failed']) this.#fetches.zero({ outcome });
  }

  /** Given to the engine, for the first time. Of what is done in the background it is no matter how long it takes. */
  submitted({ background, enqueuedAtMs }: GenerationJob): void {
    if (!background) this.#times.queue.observe(seconds(Date.now() - enqueuedAtMs));
  }

  /** Ended here and reported. */
  ended({ finishReason, error, promptTokens, cachedTokens, completionTokens, timings }: Settlement, { n: choices, background }: GenerationJob): void {
    this.#generations.inc({ outcome: finishReason });
    if (error) this.#errors.inc({ code: error.code });
    this.#tokens.prompt.inc(promptTokens);
    this.#tokens.cached.inc(cachedTokens);
    this.#tokens.output.inc(completionTokens);
    const { queueMs, ttftMs, totalMs } = timings;
    if (!background) this.#times.whole.observe(seconds(queueMs + totalMs));
    if (ttftMs === null) return;
    if (!background) this.#times.firstToken.observe(seconds(queueMs + ttftMs));
    const intervals = completionTokens / choices - 1;
    if (intervals > 0) this.#times.perToken.observe(seconds(totalMs - ttftMs) / intervals);
  }

  /** Not ended: another runner goes on with it, or this one does later. */
  left(outcome: Exclude<RunOutcome, 'settled'> | 'failed'): void {
    this.#generations.inc({ outcome: outcome === 'handedBack' ? 'handed_back' : outcome });
  }

  async adapterWait<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#times.adapterWait.startTimer();
    try {
      return await work();
    } finally {
      done();
    }
  }

  async adapterFetch(work: () => Promise<void>): Promise<void> {
    const done = this.#fetches.startTimer();
    try {
      await work();
      done({ outcome: 'fetched' });
    } catch (error) {
      done({ outcome: 'failed' });
      throw error;
    }
  }
}

const seconds = (ms: number): number => Math.max(ms, 0) / 1000;
