import { objectStoreConfig, openObjectStore } from '@aril/object-store';
import type { Worker } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { AdapterCache } from './adapters/adapter-cache.js';
import { AdapterResidency } from './adapters/adapter-residency.js';
import { Prefetcher } from './adapters/prefetcher.js';
import type { Config } from './config.js';
import { Cancellations } from './consumer/cancellations.js';
import { GenerationProcessor } from './consumer/generation-processor.js';
import { Intake } from './consumer/intake.js';
import { createWorker } from './consumer/job-worker.js';
import { SettlementReporter } from './consumer/settlement-reporter.js';
import { StreamWriter } from './consumer/stream-writer.js';
import { createTokenCounter } from './consumer/token-counter.js';
import { Yielding } from './consumer/yielding.js';
import { Admission } from './engine/admission.js';
import type { InferenceEngine } from './engine/inference-engine.js';
import { slotsOf } from './engine/slots.js';
import { Heartbeat } from './health/heartbeat.js';
import type { Logger } from './logging.js';
import { addRunnerState } from './metrics/runner-state.js';
import type { RunnerMetrics } from './metrics/runner-metrics.js';
import { advanceVirtualTime } from './redis/virtual-time.js';
import { answers, closeConnections, openConnections, type RunnerConnections } from './redis/runner-connections.js';

/** Handing back is a few round trips; a Redis that takes longer is away, and the locks' expiry does it instead. */
const HAND_BACK_MS_MAX = 5_000;
const CLOSE_MS_MAX = 2_000;

/** All parts of one runner around a loaded engine, started and stopped in order. */
export class Runner {
  readonly #connections: RunnerConnections;
  readonly #processor: GenerationProcessor;
  readonly #writer: StreamWriter;
  readonly #worker: Worker;
  readonly #counter: Worker;
  readonly #prefetcher: Prefetcher;
  readonly #yielding: Yielding;
  readonly #heartbeat: Heartbeat;
  #draining = false;

  private constructor(
    private readonly config: Config,
    private readonly engine: InferenceEngine,
    private readonly cache: AdapterCache,
    private readonly logger: Logger,
    metrics: RunnerMetrics,
    onEngineGone: () => void,
  ) {
    const runnerId = config.RUNNER_ID;
    const slots = slotsOf(config);
    const admission = new Admission(slots);
    const intake = new Intake(slots);
    const adapters = new AdapterResidency(cache, engine, logger);
    this.#connections = openConnections(config, logger);
    const { commands, stream, settlements, generations } = this.#connections;
    this.#writer = new StreamWriter(stream, admission, logger);
    const reporter = new SettlementReporter(settlements, logger);
    const services = {
      runnerId,
      baseModelId: config.BASE_MODEL_ID,
      redis: commands,
      engine,
      adapters,
      admission,
      onAdmitted: (turn: number): void => {
        advanceVirtualTime(commands, config.BASE_MODEL_ID, turn).catch((error: unknown) =>
          logger.debug({ error: String(error) }, 'virtual time could not be advanced'),
        );
      },
      writer: this.#writer,
      settlements: reporter,
      onEngineGone,
      metrics,
      logger,
    };
    this.#processor = new GenerationProcessor(services, intake, generations);
    this.#worker = createWorker(config, this.#processor, logger);
    intake.control(this.#worker);
    this.#counter = createTokenCounter(config, engine, logger);
    this.#yielding = new Yielding(commands, generations, () => intake.full, () => this.#processor.running.all(), logger);
    this.#prefetcher = new Prefetcher(generations, adapters, logger);
    const onForgotten = (): void => {
      this.#processor.restoreAll();
      reporter.reportAgain();
    };
    this.#heartbeat = new Heartbeat({ runnerId, baseModelId: config.BASE_MODEL_ID }, engine, commands, onForgotten, logger);
    engine.onStep = () => this.#writer.flush();
    const { running } = this.#processor;
    addRunnerState(metrics.registry, { cache, cacheDir: config.ADAPTER_CACHE_DIR, admission, generations: () => running.ids().length });
  }

  /** `onEngineGone` is called when the engine has ended by itself; the caller should then `stop` and leave. */
  static async start(config: Config, engine: InferenceEngine, logger: Logger, metrics: RunnerMetrics, onEngineGone: () => void): Promise<Runner> {
    const store = openObjectStore(objectStoreConfig(config));
    const cache = await AdapterCache.open(config.ADAPTER_CACHE_DIR, config.ADAPTER_CACHE_BYTES, store, logger, metrics);
    const runner = new Runner(config, engine, cache, logger, metrics, onEngineGone);
    await runner.#begin();
    return runner;
  }

  async #begin(): Promise<void> {
    const { subscriber, commands } = this.#connections;
    const { running } = this.#processor;
    const cancel = (generationId: string): void => this.#processor.cancel(generationId);
    // Hearing of cancellations comes before the first job, or one could slip between.
    await new Cancellations(subscriber, commands, () => running.ids(), cancel, this.logger).start();
    await this.#heartbeat.start();
    this.#prefetcher.start();
    this.#yielding.start();
    // Resolves when the worker is closed; its errors are events.
    this.#worker.run().catch((error: unknown) => this.logger.error({ err: error }, 'the job worker stopped'));
    this.#counter.run().catch((error: unknown) => this.logger.error({ err: error }, 'the counter of tokens stopped'));
  }

  async checks(): Promise<Record<string, boolean>> {
    return { redis: await answers(this.#connections.commands), accepting: !this.#draining };
  }

  /**
   * Takes no more jobs, lets running generations finish for DRAIN_TIMEOUT_S, hands back the rest, closes everything.
   * What is handed back is in the stream up to the last token that was emitted, and first in the queue.
   */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#prefetcher.stop();
    this.#yielding.stop();
    this.cache.close();
    // `close` fetches no more jobs at once and keeps the locks of those in progress until they are done.
    const closed = Promise.all([this.#worker.close(), this.#counter.close()]);
    this.#processor.drain();
    const { running } = this.#processor;
    if (!(await within(running.whenNone(), this.config.DRAIN_TIMEOUT_S * 1000))) {
      this.logger.info({ generations: running.ids().length }, 'handing running generations back');
      this.#processor.handBackAll();
      await within(running.whenNone(), HAND_BACK_MS_MAX);
    }
    // What is left is a round trip per job. BullMQ can wait for ever here when its blocking connection was just down.
    if (!(await within(closed, CLOSE_MS_MAX))) this.logger.warn('the job worker did not close; locks may have to expire');
    this.#writer.stop();
    await within(this.#heartbeat.stop(), 1000);
    await within(closeConnections(this.#connections).then(() => true), 2000);
    await this.engine.close();
  }
}

/** Whether the promise resolved in time. Its failure counts as resolved: there is nothing more to wait for. */
async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: waiting.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true, () => true), timeout]);
  } finally {
    waiting.abort();
  }
}
