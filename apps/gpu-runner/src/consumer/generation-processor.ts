import { generationJobSchema, generationRunKey, turnOf, type GenerationJob } from '@aril/contracts';
import { DelayedError, UnrecoverableError, WaitingError, type Job, type Queue } from 'bullmq';
import { GenerationRun } from './generation-run.js';
import type { GenerationServices } from './generation-services.js';
import type { Intake } from './intake.js';
import { RunningGenerations } from './running-generations.js';

/** Until a job whose run failed for an unforeseen reason (a Redis that refuses writes, a bug) is tried again. */
const TRY_AGAIN_MS = 5_000;

/**
 * From a BullMQ job to a generation and back. The job completes when the generation has ended and its settlement is
 * safely queued. It never fails for what happens to a generation: failures are ends too, and are settled. A
 * `WaitingError` makes BullMQ leave the job alone: it is back in the queue, or another runner's.
 */
export class GenerationProcessor {
  readonly running = new RunningGenerations();
  #draining = false;

  constructor(
    private readonly services: GenerationServices,
    private readonly intake: Intake,
    private readonly queue: Queue<GenerationJob>,
  ) {}

  process(job: Job<unknown>, token: string): Promise<void> {
    const payload = this.#parse(job);
    // BullMQ has fetched several before it hands over the first, whose choices were not known.
    if (this.intake.full) return this.#handBack(job, token);
    return this.intake.during(payload.n, () => this.#run(job, token, payload));
  }

  async #run(job: Job<unknown>, token: string, payload: GenerationJob): Promise<void> {
    if (await this.#stopEarlierRun(payload.generationId)) return this.#handBack(job, token);
    if (this.#draining) return this.#handBack(job, token);
    const run = new GenerationRun(payload, turnOf(job.priority), this.services, () => void this.#addAgain(job, payload));
    const outcome = await this.running.during(run, () => run.execute()).catch((error: unknown) => {
      this.services.logger.error({ generationId: payload.generationId, tenantId: payload.tenantId, err: error }, 'the run failed');
      return 'failed' as const;
    });
    if (outcome !== 'settled') this.services.metrics.left(outcome);
    if (outcome === 'failed') return this.#tryLater(job, token, payload);
    if (outcome === 'settled') return;
    if (outcome === 'handedBack') {
      await this.#noteHandBack(payload.generationId);
      return this.#handBack(job, token);
    }
    throw new WaitingError();
  }

  /** From now on nothing enters the engine; what has not entered yet is handed back. */
  drain(): void {
    this.#draining = true;
    for (const run of this.running.all()) if (!run.isInEngine) run.interrupt('handedBack');
  }

  handBackAll(): void {
    for (const run of this.running.all()) run.interrupt('handedBack');
  }

  /** Redis is thought to have lost its data. */
  restoreAll(): void {
    for (const run of this.running.all()) run.restore();
  }

  cancel(generationId: string): void {
    this.running.get(generationId)?.run.interrupt('cancelled');
  }

  /**
   * After an outage of Redis longer than the lock, a generation can come back to the runner that still works on it.
   * The old run stops first and the job goes back once more: BullMQ keeps locks by job, so the end of the old
   * processor call would silently end the renewal of the new one's lock.
   */
  async #stopEarlierRun(generationId: string): Promise<boolean> {
    const earlier = this.running.get(generationId);
    if (!earlier) return false;
    earlier.run.interrupt('lost');
    await earlier.finished;
    return true;
  }

  /** Failing the job would leave its caller without an end and its reservation without a settlement. */
  async #tryLater(job: Job<unknown>, token: string, { deadlineMs }: GenerationJob): Promise<never> {
    if (Date.now() > deadlineMs + TRY_AGAIN_MS) throw new UnrecoverableError('the run failed until its deadline had passed');
    try {
      await job.moveToDelayed(Date.now() + TRY_AGAIN_MS, token);
    } catch (error) {
      this.services.logger.warn({ generationId: job.id, error: String(error) }, 'the job could not be put off; its lock will expire');
    }
    throw new DelayedError();
  }

  /**
   * To a Redis that has lost the job, so that another runner can go on should this one die, and the API sees that somebody
   * works on it. Without effect while the job is there. Who takes it meanwhile takes the generation over, as ever.
   */
  async #addAgain({ name, opts }: Job<unknown>, payload: GenerationJob): Promise<void> {
    try {
      await this.queue.add(name, payload, opts);
    } catch (error) {
      this.services.logger.warn({ generationId: payload.generationId, error: String(error) }, 'a job that Redis had lost could not be added again');
    }
  }

  /** So that it is not taken for one that kills its runners. Not vital. */
  async #noteHandBack(generationId: string): Promise<void> {
    try {
      await this.services.redis.hincrby(generationRunKey(generationId), 'handedBack', 1);
    } catch (error) {
      this.services.logger.debug({ generationId, error: String(error) }, 'handing back could not be noted');
    }
  }

  async #handBack(job: Job<unknown>, token: string): Promise<never> {
    try {
      await job.moveToWait(token);
    } catch (error) {
      // The lock is gone: the stalled check has given the job away, or will.
      this.services.logger.warn({ generationId: job.id, error: String(error) }, 'the job was not ours to hand back');
    }
    throw new WaitingError();
  }

  /** Names fields, not values: a payload holds what a tenant wrote. */
  #parse(job: Job<unknown>): GenerationJob {
    const parsed = generationJobSchema.safeParse(job.data);
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`);
    this.services.logger.error({ jobId: job.id, problems }, 'invalid job payload');
    throw new UnrecoverableError(`invalid job payload: ${problems.join('; ')}`);
  }
}
