import { RUNNERS_KEY, runnerHeartbeatSchema, type RunnerHeartbeat } from '@aril/contracts';
import type { Redis } from 'ioredis';
import type { InferenceEngine } from '../engine/inference-engine.js';
import type { Logger } from '../logging.js';
import { Rounds } from '../rounds.js';

/** A third of the age at which readers take a runner for gone. */
const INTERVAL_MS = 5_000;
/** Entries of runners that were killed would stay for ever; whoever starts next sweeps those this old. */
const STALE_MS = 10 * 60_000;

/** Tells of this runner in `RUNNERS_KEY`, every few seconds, and finds out there whether Redis still knows of it. */
export class Heartbeat {
  readonly #rounds: Rounds;
  #isKnown = false;

  constructor(
    private readonly runner: { runnerId: string; baseModelId: string },
    private readonly engine: InferenceEngine,
    private readonly redis: Redis,
    /** Redis has lost its data. */
    private readonly onForgotten: () => void,
    private readonly logger: Logger,
  ) {
    const onFailure = (error: unknown): void => logger.warn({ error: String(error) }, 'heartbeat failed');
    // While Redis is away a beat waits; more of them behind it would all be out of date.
    this.#rounds = new Rounds(INTERVAL_MS, () => this.#beat(), onFailure);
  }

  async start(): Promise<void> {
    await this.#sweep();
    await this.#rounds.once();
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    this.#rounds.stop();
    await this.redis.hdel(RUNNERS_KEY, this.runner.runnerId);
  }

  async #beat(): Promise<void> {
    const { device, running, waiting, kvBlocksTotal, kvBlocksFree, adaptersResident, adapterBytes, stepMs } = this.engine.load();
    const load = { device, running, waiting, kvBlocksTotal, kvBlocksFree, adaptersResident, adapterBytes, stepMs };
    const beat: RunnerHeartbeat = { ...this.runner, atMs: Date.now(), ...load };
    const isNew = (await this.redis.hset(RUNNERS_KEY, this.runner.runnerId, JSON.stringify(beat))) === 1;
    if (isNew && this.#isKnown) {
      this.logger.warn('Redis has lost its data; writing again what this runner knows');
      this.onForgotten();
    }
    this.#isKnown = true;
  }

  async #sweep(): Promise<void> {
    const beats = Object.entries(await this.redis.hgetall(RUNNERS_KEY));
    const stale = beats.filter(([, json]) => Date.now() - atMsOf(json) > STALE_MS).map(([runnerId]) => runnerId);
    if (stale.length > 0) await this.redis.hdel(RUNNERS_KEY, ...stale);
  }
}

/** What cannot be read is as good as ancient. */
function atMsOf(json: string): number {
  try {
    return runnerHeartbeatSchema.parse(JSON.parse(json)).atMs;
  } catch {
    return 0;
  }
}
