/** The queues of the base models, from the side that fills them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import {
  ArilError,
  BACKGROUND_PRIORITY,
  generationQueue,
  JOB_RUN_GENERATION,
  priorityOf,
  QUEUE_PREFIX,
  SETTLEMENT_QUEUE,
  settlementJobId,
  type GenerationJob,
} from '@aril/contracts';
import { Queue, type JobsOptions } from 'bullmq';
import { RedisService } from '../../base/redis/redis.service.js';
import { takeTurn } from './tenant-turns.js';

/**
 * A runner that throws has had an accident; the job is offered again. A job holds the prompt, so it leaves Redis
 * with its end; one that failed for good is removed by housekeeping, which ends its generation.
 */
const JOB_OPTIONS: JobsOptions = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 250 },
  removeOnComplete: true,
  removeOnFail: false,
};

/** A reconnect after a short interruption takes less. */
const REDIS_WAIT_MS = 5_000;

@Injectable()
export class GenerationQueue implements OnModuleDestroy {
  private readonly logger = new Logger(GenerationQueue.name);
  private readonly queues = new Map<string, Queue>();

  constructor(private readonly redis: RedisService) {}

  /**
   * Commands wait for a Redis that is away, for as long as it takes. A caller who wants to add something should hear
   * of it instead, before anything is written.
   * @throws ArilError OVERLOADED
   */
  async requireRedis(): Promise<void> {
    for (const giveUpAt = Date.now() + REDIS_WAIT_MS; this.redis.client.status !== 'ready'; await sleep(50)) {
      if (Date.now() > giveUpAt) throw new ArilError('OVERLOADED', 'The queue cannot be reached at the moment. Try again later.');
    }
  }

  /** Adding the same generation again while its job is there changes nothing. */
  async add(job: GenerationJob): Promise<void> {
    const queue = this.queue(generationQueue(job.baseModelId));
    const priority = job.background ? BACKGROUND_PRIORITY : priorityOf(await this.turnOf(job, queue));
    await queue.add(JOB_RUN_GENERATION, job, { ...JOB_OPTIONS, jobId: job.generationId, priority });
  }

  async isQueued(baseModelId: string, generationId: string): Promise<boolean> {
    return (await this.queue(generationQueue(baseModelId)).getJob(generationId)) !== undefined;
  }

  async hasFailed(baseModelId: string, generationId: string): Promise<boolean> {
    return (await this.queue(generationQueue(baseModelId)).getJobState(generationId)) === 'failed';
  }

  /** Takes the job back, unless a living runner holds it. True: no runner works on it now or will. */
  async withdraw(baseModelId: string, generationId: string): Promise<boolean> {
    const job = await this.queue(generationQueue(baseModelId)).getJob(generationId);
    if (!job) return true;
    try {
      await job.remove();
      return true;
    } catch (error) {
      if (error instanceof Error && error.message.includes('locked')) return false;
      throw error;
    }
  }

  /** Whether an end is on its way to `SettlementWorker`. */
  async isSettlementPending(generationId: string): Promise<boolean> {
    const state = await this.queue(SETTLEMENT_QUEUE).getJobState(settlementJobId(generationId));
    return state !== 'unknown' && state !== 'failed' && state !== 'completed';
  }

  /** Jobs by state; those that wait in the background apart. */
  async depths(baseModelId: string): Promise<Record<string, number>> {
    const queue = this.queue(generationQueue(baseModelId));
    const { waiting = 0, prioritized = 0, ...rest } = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
    const background = await inBackground(queue);
    return { waiting: Math.max(0, waiting + prioritized - background), background, ...rest };
  }

  settlementDepths(): Promise<Record<string, number>> {
    return this.queue(SETTLEMENT_QUEUE).getJobCounts('waiting', 'active', 'delayed', 'failed');
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
  }

  private turnOf(job: GenerationJob, queue: Queue): Promise<number> {
    return takeTurn(this.redis.client, { ...job, choices: job.n }, async () => (await queue.count()) <= (await inBackground(queue)));
  }

  private queue(name: string): Queue {
    let queue = this.queues.get(name);
    if (!queue) {
      queue = new Queue(name, { connection: this.redis.client, prefix: QUEUE_PREFIX });
      queue.on('error', (error) => this.logger.warn(`queue ${name}: ${error.message}`));
      this.queues.set(name, queue);
    }
    return queue;
  }
}

async function inBackground(queue: Queue): Promise<number> {
  return (await queue.getCountsPerPriority([BACKGROUND_PRIORITY]))[BACKGROUND_PRIORITY] ?? 0;
}
