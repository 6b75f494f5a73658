import {
  generationEventSchema,
  generationQueue,
  generationStreamKey,
  JOB_RUN_GENERATION,
  QUEUE_PREFIX,
  SETTLEMENT_QUEUE,
  settlementJobId,
  settlementSchema,
  type AdapterRef,
  type GenerationEvent,
  type GenerationJob,
  type Settlement,
} from '@aril/contracts';
import { startRedis } from '@aril/local-services';
import { FolderStore } from '@aril/object-store';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const BASE_MODEL_ID = 'test-model';
export const TENANT_ID = randomUUID();

/** A Redis of its own, a folder of its own, and the API's side of the queues. */
export class World {
  private constructor(
    readonly dir: string,
    readonly redisUrl: string,
    readonly redis: Redis,
    readonly store: FolderStore,
    readonly jobs: Queue<GenerationJob>,
    readonly settlements: Queue<Settlement>,
    private readonly stopRedis: () => Promise<void>,
  ) {}

  static async create(): Promise<World> {
    const dir = await mkdtemp(path.join(tmpdir(), 'gpu-runner-'));
    const server = await startRedis({ dir: path.join(dir, 'redis'), durable: false });
    const connection = { url: server.url, maxRetriesPerRequest: null };
    const queue = <T>(name: string): Queue<T> => {
      const opened = new Queue(name, { connection, prefix: QUEUE_PREFIX });
      // Tests cut connections on purpose; ioredis reconnects.
      opened.on('error', () => {});
      return opened as unknown as Queue<T>;
    };
    return new World(
      dir,
      server.url,
      new Redis(server.url, { maxRetriesPerRequest: null }),
      new FolderStore(path.join(dir, 'objects')),
      queue<GenerationJob>(generationQueue(BASE_MODEL_ID)),
      queue<Settlement>(SETTLEMENT_QUEUE),
      () => server.stop(),
    );
  }

  async destroy(): Promise<void> {
    await Promise.all([this.jobs.close(), this.settlements.close()]);
    this.redis.disconnect();
    await this.stopRedis();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** `priority` as the API gives it, by turn; 0: before all that have one. */
  async enqueue(job: GenerationJob, priority = 0): Promise<void> {
    await this.jobs.add(JOB_RUN_GENERATION, job, { jobId: job.generationId, priority });
  }

  async putAdapter(config: unknown, weights: Uint8Array): Promise<AdapterRef> {
    const contents = { 'adapter_config.json': Buffer.from(JSON.stringify(config)), 'adapter_model.safetensors': Buffer.from(weights) };
    const identity = sha256(Buffer.concat(Object.values(contents)));
    const files: AdapterRef['files'] = [];
    for (const [name, bytes] of Object.entries(contents)) {
      const key = `adapters/${identity}/${name}`;
      await this.store.put(key, bytes);
      files.push({ name: name as AdapterRef['files'][number]['name'], key, sha256: sha256(bytes), bytes: bytes.length });
    }
    return { sha256: identity, files };
  }

  async events(generationId: string): Promise<GenerationEvent[]> {
    const entries = await this.redis.xrange(generationStreamKey(generationId), '-', '+');
    return entries.map(([id, [, json]], index) => {
      const event = generationEventSchema.parse(JSON.parse(json ?? ''));
      if (id !== `${event.seq}-0` || event.seq !== index + 1) throw new Error(`entry ${id}: found seq ${event.seq} at ${index + 1}`);
      return event;
    });
  }

  async tokens(generationId: string, choice = 0): Promise<number[]> {
    return (await this.events(generationId)).flatMap((event) => (event.type === 'tokens' && event.choice === choice ? event.tokens : []));
  }

  async text(generationId: string, choice = 0): Promise<string> {
    return (await this.events(generationId)).map((event) => (event.type !== 'prompt' && event.choice === choice ? event.text : '')).join('');
  }

  /** The settlement as the API would get it; it stays queued, as if the API were down. */
  async settlement(generationId: string, timeoutMs = 30_000): Promise<Settlement> {
    return eventually(`settlement of ${generationId}`, timeoutMs, async () => {
      const job = await this.settlements.getJob(settlementJobId(generationId));
      return job ? settlementSchema.parse(job.data) : null;
    });
  }

  async untilTokens(generationId: string, count: number): Promise<number[]> {
    return eventually(`${count} tokens of ${generationId}`, 30_000, async () => {
      const tokens = await this.tokens(generationId);
      return tokens.length >= count ? tokens : null;
    });
  }

  /** When no job is left anywhere in the queue. */
  async untilIdle(): Promise<void> {
    await eventually('an empty queue', 30_000, async () => {
      const counts = await this.jobs.getJobCounts('active', 'waiting', 'prioritized', 'delayed');
      return Object.values(counts).every((count) => count === 0) ? true : null;
    });
  }
}

export function aJob(changes: Partial<Omit<GenerationJob, 'sampling'>> & { sampling?: Partial<GenerationJob['sampling']> } = {}): GenerationJob {
  const { sampling, ...rest } = changes;
  return {
    version: 1,
    generationId: randomUUID(),
    tenantId: TENANT_ID,
    baseModelId: BASE_MODEL_ID,
    adapter: null,
    input: { kind: 'prompt', prompt: 'Once upon a time' },
    n: 1,
    logprobs: null,
    echo: false,
    constraint: null,
    background: false,
    enqueuedAtMs: Date.now(),
    deadlineMs: Date.now() + 120_000,
    ...rest,
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: {},
      seed: 1,
      maxTokens: 40,
      minTokens: 0,
      stop: [],
      stopTokens: [],
      ignoreEos: false,
      ...sampling,
    },
  };
}

export async function eventually<T>(what: string, timeoutMs: number, look: () => Promise<T | null>): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > until) throw new Error(`${what}: not seen within ${timeoutMs} ms`);
    await delay(10);
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
