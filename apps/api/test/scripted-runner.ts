/**
 * A runner without an engine: it speaks the contracts over the real Redis and does what the test's script says, so
 * that duplicates, crashes, stalls and late words can be staged. What it writes is what a runner would write.
 */
import {
  CANCEL_CHANNEL,
  generationFenceKey,
  generationQueue,
  generationRunKey,
  generationStreamKey,
  generationJobSchema,
  JOB_SETTLE_GENERATION,
  QUEUE_PREFIX,
  SETTLEMENT_QUEUE,
  settlementJobId,
  settlementSchema,
  tokenCountJobSchema,
  tokenCountQueue,
  Transcript,
  type ErrorCode,
  type FinishReason,
  type GenerationEvent,
  type GenerationJob,
  type PredictionTokens,
  type Settlement,
  type TokenCount,
  type TokenCountJob,
  type TokenLogprob,
} from '@aril/contracts';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { TEST_MODEL, type TestApp } from './harness.js';

export const PROMPT_TOKENS = 7;
export const CACHED_TOKENS = 4;
/** A test that waits for a runner longer than this is stuck. */
const WAIT_MS = 10_000;

export type Script = (run: ScriptedRun) => Promise<void>;

/** Three events of one token each and an end: "Once upon a time". */
export const tell: Script = async (run) => {
  for (const text of ['Once', ' upon', ' a time']) await run.tokens(text);
  await run.finish('stop');
};

export const say =
  (...texts: string[]): Script =>
  async (run) => {
    for (const text of texts) await run.tokens(text);
    await run.finish('stop');
  };

export class ScriptedRun {
  /** The stop string that it is to end with. */
  stop?: string;
  predictionTokens?: PredictionTokens | undefined;
  private seq = 0;
  private readonly written: GenerationEvent[] = [];
  private transcript: Transcript;
  private readonly takenAtMs = Date.now();

  constructor(
    readonly job: GenerationJob,
    readonly fence: number,
    private readonly runner: ScriptedRunner,
  ) {
    this.transcript = new Transcript(job.n);
  }

  /** As the job asks for it. */
  async prompt(opening: string, ...texts: string[]): Promise<void> {
    const { echo, logprobs } = this.job;
    const scores = logprobs === null ? null : texts.map((text) => score(text, logprobs));
    if (echo) await this.write({ type: 'prompt', seq: ++this.seq, text: [opening, ...texts].join(''), opening, logprobs: scores });
  }

  async tokens(text: string, count = 1, choice = 0): Promise<void> {
    const tokens = Array.from({ length: count }, (_, index) => index);
    await this.write({ type: 'tokens', seq: ++this.seq, choice, tokens, text, logprobs: null });
  }

  /** A token of the thought. */
  async think(text: string, choice = 0): Promise<void> {
    await this.write({ type: 'tokens', seq: ++this.seq, choice, tokens: [0], text, reasoningTokens: 1, logprobs: null });
  }

  /** A token with as many alternatives as the job asks for, itself the first of them. */
  async scored(text: string, choice = 0): Promise<void> {
    const { logprobs } = this.job;
    await this.write({ type: 'tokens', seq: ++this.seq, choice, tokens: [1], text, logprobs: logprobs === null ? null : [score(text, logprobs)] });
  }

  async endChoice(choice: number, finishReason: FinishReason, text = ''): Promise<void> {
    await this.write({ type: 'choiceEnd', seq: ++this.seq, choice, text, finishReason });
  }

  /** Leaves a number out, as no runner should. */
  skip(): void {
    this.seq++;
  }

  /** The end event; the settlement is returned and not sent. The last choice to end is the first unless it has ended. */
  async end(finishReason: FinishReason, error: { code: ErrorCode; message: string } | null = null, lastText = ''): Promise<Settlement> {
    const { generationId, tenantId, enqueuedAtMs } = this.job;
    const counts = { promptTokens: PROMPT_TOKENS, cachedTokens: CACHED_TOKENS, completionTokens: this.transcript.tokenCount, reasoningTokens: this.transcript.reasoningTokenCount, ...(this.predictionTokens && { predictionTokens: this.predictionTokens }) };
    const choice = Math.max(0, this.transcript.choices.findIndex((each) => each.finishReason === null));
    const end = { type: 'end' as const, seq: ++this.seq, choice, text: lastText, finishReason, stop: this.stop, ...counts, error };
    this.transcript.read(end);
    const settlement: Settlement = settlementSchema.parse({
      version: 1,
      generationId,
      tenantId,
      runnerId: 'scripted',
      fence: this.fence,
      text: this.transcript.choice(0).text,
      choices: this.transcript.settledChoices(),
      finishReason: this.transcript.finishReason,
      ...counts,
      error,
      timings: { queueMs: Math.max(0, this.takenAtMs - enqueuedAtMs), ttftMs: 1, totalMs: Date.now() - this.takenAtMs },
      finishedAtMs: Date.now(),
    });
    await this.runner.redis.hset(generationRunKey(generationId), 'settlement', JSON.stringify(settlement));
    await this.append(end);
    return settlement;
  }

  async finish(finishReason: FinishReason, error: { code: ErrorCode; message: string } | null = null, lastText = ''): Promise<Settlement> {
    const settlement = await this.end(finishReason, error, lastText);
    await this.runner.settle(settlement);
    return settlement;
  }

  /** As a Redis that lost its memory. */
  async forgetStream(): Promise<void> {
    await this.runner.redis.del(generationStreamKey(this.job.generationId));
  }

  /** As a runner does if Redis has lost its memory. */
  async rewrite(): Promise<void> {
    const lost = await this.runner.redis.set(generationFenceKey(this.job.generationId), this.fence, 'NX');
    if (!lost) return;
    for (const event of this.written.splice(0)) await this.append(event);
  }

  /** Of a long answer: what this process holds for the runner counts as the API's in a test of memory. */
  forget(): void {
    this.written.length = 0;
    this.transcript = new Transcript(this.job.n);
  }

  report(settlement: Settlement): Promise<void> {
    return this.runner.settle(settlement);
  }

  /** Resolves when somebody cancels this generation. */
  cancelled(): Promise<void> {
    return this.runner.cancellation(this.job.generationId);
  }

  private async write(event: GenerationEvent): Promise<void> {
    this.transcript.read(event);
    await this.append(event);
  }

  private async append(event: GenerationEvent): Promise<void> {
    this.written.push(event);
    await this.runner.redis.xadd(generationStreamKey(this.job.generationId), `${event.seq}-0`, 'd', JSON.stringify(event));
  }
}

export class ScriptedRunner {
  /** What was taken, in order. */
  readonly jobs: GenerationJob[] = [];
  script: Script = tell;
  readonly redis: Redis;
  readonly settlements: Queue;
  readonly generations: Queue;
  private readonly subscriber: Redis;
  private readonly worker: Worker;
  /** What it is asked to count, in order, and what it says. */
  readonly counted: TokenCountJob[] = [];
  count: () => TokenCount | Promise<TokenCount> = () => ({ tokens: PROMPT_TOKENS });
  private readonly counter: Worker;
  private readonly waiting = new Map<string, () => void>();

  constructor(test: TestApp, baseModelId = TEST_MODEL) {
    // Tests stop Redis on purpose; ioredis reconnects.
    const connect = (): Redis => new Redis(test.config.REDIS_URL, { maxRetriesPerRequest: null }).on('error', () => undefined);
    this.redis = connect();
    this.subscriber = connect();
    this.settlements = new Queue(SETTLEMENT_QUEUE, { connection: this.redis, prefix: QUEUE_PREFIX });
    this.generations = new Queue(generationQueue(baseModelId), { connection: this.redis, prefix: QUEUE_PREFIX });
    this.worker = new Worker(generationQueue(baseModelId), (job) => this.take(job.data), {
      connection: this.redis,
      prefix: QUEUE_PREFIX,
      concurrency: 50,
      runRetryDelay: 1_000,
    });
    this.counter = new Worker(
      tokenCountQueue(baseModelId),
      ({ data }) => {
        this.counted.push(tokenCountJobSchema.parse(data));
        return Promise.resolve(this.count());
      },
      { connection: this.redis, prefix: QUEUE_PREFIX, removeOnComplete: { count: 0 } },
    );
    this.counter.on('error', () => undefined);
    for (const queue of [this.settlements, this.generations]) queue.on('error', () => undefined);
    this.worker.on('error', () => undefined);
    this.subscriber.on('message', (_channel, id) => this.waiting.get(id)?.());
    void this.subscriber.subscribe(CANCEL_CHANNEL);
  }

  /** Adds it under the contract's id unless another id is given. */
  async settle(settlement: Settlement, jobId = settlementJobId(settlement.generationId)): Promise<void> {
    await this.settlements.add(JOB_SETTLE_GENERATION, settlement, { jobId, removeOnComplete: true });
  }

  cancellation(generationId: string): Promise<void> {
    return new Promise((resolve) => this.waiting.set(generationId, resolve));
  }

  /** Takes no more jobs until `resume`. The queue pauses: a worker that pauses may still take the job it waits for. */
  pause(): Promise<void> {
    return this.generations.pause();
  }

  resume(): Promise<void> {
    return this.generations.resume();
  }

  async close(): Promise<void> {
    await Promise.all([this.worker.close(true), this.counter.close(true)]);
    await this.settlements.close();
    await this.generations.close();
    this.subscriber.disconnect();
    this.redis.disconnect();
  }

  private async take(data: unknown): Promise<void> {
    const job = generationJobSchema.parse(data);
    // A retry of a caller can bring a job back that has just ended: its end is reported again, as runners do.
    const reported = await this.redis.hget(generationRunKey(job.generationId), 'settlement');
    if (reported !== null) return this.settle(settlementSchema.parse(JSON.parse(reported)));
    this.jobs.push(job);
    const fence = await this.redis.incr(generationFenceKey(job.generationId));
    await this.script(new ScriptedRun(job, fence, this));
  }
}

function score(text: string, top: number): TokenLogprob {
  const scored = { token: 1, text, bytes: [...Buffer.from(text)], logprob: -0.25 };
  const others = Array.from({ length: 20 }, (_, index) => ({ token: index + 2, text: `t${index}`, bytes: null, logprob: -1 - index }));
  return { ...scored, top: [scored, ...others].slice(0, top) };
}

/** Waits until `check` gives something, and gives it. */
export async function until<T>(check: () => Promise<T | null | undefined | false> | T | null | undefined | false, waitMs = WAIT_MS): Promise<T> {
  for (const startedAt = Date.now(); Date.now() - startedAt < waitMs; ) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited ${waitMs} ms in vain for: ${check.toString()}`);
}

/** A gate that a script waits at until the test opens it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
