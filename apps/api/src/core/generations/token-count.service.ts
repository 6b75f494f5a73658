/** How many tokens a prompt has: its runner's tokenizer says, and nothing is generated. */
import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { ArilError, JOB_COUNT_TOKENS, QUEUE_PREFIX, tokenCountQueue, tokenCountSchema, type TokenCount, type TokenCountJob } from '@aril/contracts';
import { Queue, QueueEvents } from 'bullmq';
import type { Caller } from '../../base/auth/caller.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { AdmissionService } from '../limits/admission.service.js';
import type { TellRates } from './generation-admission.js';
import { GenerationQueue } from './generation-queue.js';
import type { FieldNames, GenerationRequest } from './generation-request.js';
import { GenerationTargets } from './generation-targets.js';

/** A tokenizer needs milliseconds; a runner that is away may be back soon. */
const WAIT_MS = 10_000;

type Waiting = (count: TokenCount | null) => void;

interface Counting {
  queue: Queue<TokenCountJob>;
  events: QueueEvents;
}

@Injectable()
export class TokenCountService implements OnModuleDestroy {
  private readonly logger = new Logger(TokenCountService.name);
  private readonly waiting = new Map<string, Waiting>();
  private readonly countings = new Map<string, Counting>();

  constructor(
    private readonly redis: RedisService,
    private readonly generations: GenerationQueue,
    private readonly targets: GenerationTargets,
    private readonly admission: AdmissionService,
  ) {}

  /**
   * Counts as a request, of no tokens, and is in no ledger. `contextTokens` is the model's.
   * @throws ArilError MODEL_NOT_FOUND, RATE_LIMITED, OVERLOADED when no runner answers
   */
  async count(caller: Caller, request: Pick<GenerationRequest, 'target' | 'routingKey' | 'input'>, names: Pick<FieldNames, 'target'>, tell: TellRates): Promise<TokenCount & { contextTokens: number }> {
    await this.generations.requireRedis();
    const { baseModelId, contextTokens } = await this.targets.resolve(caller, { ...request, idempotencyKey: null }, names.target);
    await this.admission.countRequest(caller, tell);
    const count = await this.ask(baseModelId, { version: 1, input: request.input });
    if (!count) throw new ArilError('OVERLOADED', 'No runner of the model has answered. Try again later.');
    return { ...count, contextTokens };
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([...this.countings.values()].flatMap(({ queue, events }) => [queue.close(), events.close()]));
  }

  /** null: nobody has answered in time, or the queue could not be reached. */
  private async ask(baseModelId: string, job: TokenCountJob): Promise<TokenCount | null> {
    const { queue, events } = this.counting(baseModelId);
    const jobId = randomUUID();
    const answer = new Promise<TokenCount | null>((resolve) => void this.waiting.set(jobId, resolve));
    const giveUp = (): void => this.waiting.get(jobId)?.(null);
    const timer = setTimeout(giveUp, WAIT_MS);
    const added = events.waitUntilReady().then(() => queue.add(JOB_COUNT_TOKENS, job, { jobId, attempts: 3, removeOnComplete: true, removeOnFail: true }));
    added.catch(giveUp);
    try {
      const count = await answer;
      // It holds the prompt. One that a runner has just taken goes when it is done.
      if (!count) added.then((one) => one.remove()).catch(() => {});
      return count;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(jobId);
    }
  }

  private counting(baseModelId: string): Counting {
    let counting = this.countings.get(baseModelId);
    if (!counting) this.countings.set(baseModelId, (counting = this.open(tokenCountQueue(baseModelId))));
    return counting;
  }

  private open(name: string): Counting {
    const queue = new Queue<TokenCountJob>(name, { connection: this.redis.client, prefix: QUEUE_PREFIX });
    // From the first event there is: one that comes before the first look at them must not be missed.
    const events = new QueueEvents(name, { connection: this.redis.connect(name), prefix: QUEUE_PREFIX, lastEventId: '0-0' });
    const warn = (error: Error): void => this.logger.warn(`queue ${name}: ${error.message}`);
    queue.on('error', warn);
    events.on('error', warn);
    events.on('completed', ({ jobId, returnvalue }) => this.waiting.get(jobId)?.(tokenCountSchema.parse(returnvalue)));
    events.on('failed', ({ jobId }) => this.waiting.get(jobId)?.(null));
    return { queue, events };
  }
}
