import { RUNNERS_KEY, runnerHeartbeatSchema, type RunnerHeartbeat } from '@aril/contracts';
import type { Redis } from 'ioredis';
import type { InferenceEngine } from '../engine/inference-engine.js';
import type { Logger } from '../logging.js';

/** A third of the age at which readers take a runner for gone. */
const INTERVAL_MS = 5_000;
/** Entries of runners that were killed would stay for ever; whoever starts next sweeps those this old. */
const STALE_MS = 10 * 60_000;

/** Tells of this runner in `RUNNERS_KEY`, every few seconds. */
export class Heartbeat {
  #timer: NodeJS.Timeout | undefined;
  #beating = false;

  constructor(
    private readonly runner: { runnerId: string; baseModelId: string },
    private readonly engine: InferenceEngine,
    private readonly redis: Redis,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    await this.#sweep();
    await this.#beat();
    this.#timer = setInterval(() => void this.#beat(), INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.redis.hdel(RUNNERS_KEY, this.runner.runnerId);
  }

  async #beat(): Promise<void> {
    // While Redis is away a beat waits; more of them behind it would all be out of date.
    if (this.#beating) return;
    this.#beating = true;
    try {
      const { device, running, waiting, kvBlocksTotal, kvBlocksFree, adaptersResident, adapterBytes, stepMs } = this.engine.load();
      const load = { device, running, waiting, kvBlocksTotal, kvBlocksFree, adaptersResident, adapterBytes, stepMs };
      const beat: RunnerHeartbeat = { ...this.runner, atMs: Date.now(), ...load };
      await this.redis.hset(RUNNERS_KEY, this.runner.runnerId, JSON.stringify(beat));
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'heartbeat failed');
    } finally {
      this.#beating = false;
    }
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
