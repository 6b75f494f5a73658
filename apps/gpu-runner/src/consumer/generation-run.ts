import { ArilError, settlementSchema, traceFields, Transcript, type GenerationJob, type Settlement } from '@aril/contracts';
import { requestFailure } from '../engine/engine-failures.js';
import type { Stay } from '../engine/admission.js';
import { EngineFailure, type EngineEnd, type EngineRequest } from '../engine/inference-engine.js';
import { takeGeneration, type TakenGeneration } from '../redis/take-generation.js';
import { ChoiceRelay } from './choice-relay.js';
import type { Logger } from '../logging.js';
import type { GenerationServices } from './generation-services.js';
import { Interruption, type InterruptionKind } from './interruption.js';
import { settlementOf } from './settlement-of.js';
import { StreamChannel, streamTtlMs, type EndWithoutSeq } from './stream-channel.js';
import { untilAborted } from './until-aborted.js';
import { whyNotRun } from './why-not-run.js';

/** `handedBack`: all that was emitted is written and another runner may go on. `lost`: another one has it already. */
export type RunOutcome = 'settled' | 'handedBack' | 'lost';

/** One generation on this runner, from taking it to reporting its end. */
export class GenerationRun {
  readonly #interrupted = new AbortController();
  /** Names the generation, and what its caller calls it, in every line. */
  readonly #logger: Logger;
  #kind: InterruptionKind | null = null;
  #emitted: Transcript;
  #taken!: TakenGeneration;
  #channel!: StreamChannel;
  #isTaken = false;
  /** While the engine works on it. */
  #requestId: string | null = null;

  constructor(
    readonly job: GenerationJob,
    /** Its place in the fair order of the queue. */
    readonly turn: number,
    private readonly services: GenerationServices,
    /** Puts the job back into a queue that has lost it. */
    private readonly addAgain: () => void,
  ) {
    this.#emitted = new Transcript(job.n);
    const { generationId, tenantId, trace } = job;
    this.#logger = services.logger.child({ generationId, tenantId, ...traceFields(trace ?? {}) });
  }

  /** What the engine has not got yet can be handed to another runner at no loss. */
  get isInEngine(): boolean {
    return this.#requestId !== null;
  }

  /** Stops the run; `execute` then resolves accordingly. Lost outweighs handed back outweighs cancelled. */
  interrupt(kind: InterruptionKind): void {
    if (this.#kind === 'lost' || (this.#kind === 'handedBack' && kind === 'cancelled')) return;
    this.#kind = kind;
    if (this.#requestId !== null) this.services.engine.cancel(this.#requestId);
    // A cancelled request ends inside the engine, which says with how many tokens; in all other cases we let go now.
    if (this.#requestId === null || kind !== 'cancelled') this.#interrupted.abort(new Interruption(kind));
  }

  /** Redis is thought to have lost its data: what is known of the generation is written again, and then its job. */
  restore(): void {
    if (!this.#isTaken) return this.addAgain();
    if (!this.#channel.restore()) return;
    this.services.writer.touch(this.#channel);
    this.services.writer.flush();
  }

  async execute(): Promise<RunOutcome> {
    await this.#take();
    if (this.#taken.settlementJson !== null) return this.#reportAgain(this.#taken.settlementJson);
    try {
      const reason = whyNotRun(this.job, this.services.baseModelId, this.#taken, this.#emitted);
      return await this.#finish(reason === null ? await this.#generate() : await this.#endOutside(reason));
    } catch (error) {
      return this.#stopped(error);
    } finally {
      this.#requestId = null;
    }
  }

  async #take(): Promise<void> {
    const { generationId, deadlineMs } = this.job;
    this.#taken = await takeGeneration(this.services.redis, generationId, streamTtlMs(deadlineMs));
    this.#emitted = Transcript.from(this.#taken.events, this.job.n);
    const onLost = (): void => this.interrupt('lost');
    this.#channel = new StreamChannel({ ...this.#taken, generationId, deadlineMs, onLost, onRestored: this.addAgain });
    this.#isTaken = true;
  }

  async #generate(): Promise<EndWithoutSeq> {
    const { engine, admission, adapters, metrics } = this.services;
    const { tenantId, n, background, adapter, input, prediction, deadlineMs } = this.job;
    const signal = this.#interrupted.signal;
    const promptTokens = await engine.encode(input, signal);
    const predictionTokens = prediction === undefined ? [] : await engine.encodePrediction(prediction, signal);
    for (let attempt = 1; ; attempt++) {
      if (adapter) await metrics.adapterWait(() => untilAborted(adapters.ensure(adapter, deadlineMs, signal), signal));
      const stay = await admission.enter({ tenantId, choices: n, background, turn: this.turn }, signal);
      // What is done in the background is after all turns, and does not move the time of those.
      if (!background) this.services.onAdmitted(this.turn);
      try {
        return await this.#runInEngine(this.#request(promptTokens, predictionTokens), stay);
      } catch (error) {
        // Between becoming resident and being used, an idle adapter may be dropped for another one.
        const dropped = error instanceof EngineFailure && error.engineCode === 'adapter_unknown';
        if (!dropped || attempt === 10) throw error;
      } finally {
        stay.free();
      }
    }
  }

  #request(promptTokens: number[], predictionTokens: number[]): EngineRequest {
    const { generationId, tenantId, adapter, input, sampling, n, logprobs, echo, constraint } = this.job;
    return {
      // The fence is part of it: the generation may come back here before the engine has let go of it.
      requestId: `${generationId}:${this.#taken.fence}`,
      promptTokens,
      predictionTokens,
      resumeTokens: this.#emitted.choices.map(({ tokens }) => [...tokens]),
      adapter: adapter?.sha256 ?? null,
      cacheSalt: tenantId,
      sampling,
      n,
      logprobs,
      promptLogprobs: echo && !this.#emitted.echoed ? logprobs : null,
      constraint,
      thought: this.services.engine.thoughtPlace(input, promptTokens),
      readsCalls: input.kind === 'messages' && input.tools !== undefined,
    };
  }

  async #runInEngine(request: EngineRequest, stay: Stay): Promise<EndWithoutSeq> {
    const { engine } = this.services;
    const { signal } = this.#interrupted;
    const relay = this.#relay(request.promptTokens, () => stay.free(1));
    engine.submit(request, relay);
    this.#requestId = request.requestId;
    if (this.#taken.firstTokenAtMs === null) this.services.metrics.submitted(this.job);
    if (request.promptLogprobs === null) relay.onPrompt(null);
    const end = await untilAborted(relay.ended, signal);
    this.#requestId = null;
    // The other choices of one that failed: their callers get the failure.
    if (end.error) engine.cancel(request.requestId);
    return this.#endInEngine(end, request.predictionTokens.length * this.job.n);
  }

  #relay(promptTokens: readonly number[], onChoiceEnd: () => void): ChoiceRelay {
    const onProgress = (): void => {
      this.#taken.firstTokenAtMs ??= Date.now();
      this.services.writer.touch(this.#channel);
    };
    const wasCancelled = (): boolean => this.#kind === 'cancelled';
    const prompt = this.job.echo ? () => this.services.engine.promptText(this.job.input, promptTokens) : null;
    const { signal } = this.#interrupted;
    return new ChoiceRelay({ emitted: this.#emitted, channel: this.#channel, prompt, signal, onProgress, onChoiceEnd, wasCancelled });
  }

  /** `predicted`: tokens of the prediction, of every choice. */
  #endInEngine(end: EngineEnd, predicted: number): EndWithoutSeq {
    // Engines that close end their requests as cancelled; nobody asked for that, so another runner goes on.
    const closed = end.finishReason === 'cancelled' && this.#kind !== 'cancelled';
    if (closed || end.error?.engineCode === 'closed') throw requestFailure('closed', 'the engine was closed');
    if (end.error) this.#logFailure(end.error);
    const { choice, text, finishReason, stop, promptTokens } = end;
    const completionTokens = this.#emitted.tokenCount;
    // A resumed run can find more computed than the prompt.
    const cachedTokens = Math.min(end.cachedTokens, promptTokens);
    const accepted = end.predictedTokens;
    const predictionTokens = this.job.prediction === undefined ? {} : { predictionTokens: { accepted, rejected: predicted - accepted } };
    return { choice, text, finishReason, stop, promptTokens, cachedTokens, completionTokens, ...this.#reasoningTokens, ...predictionTokens, error: end.error && shownOf(end.error.error) };
  }

  get #reasoningTokens(): Pick<EndWithoutSeq, 'reasoningTokens'> {
    const reasoningTokens = this.#emitted.reasoningTokenCount;
    return reasoningTokens > 0 ? { reasoningTokens } : {};
  }

  /** Without the engine nothing is generated any more; what an earlier runner generated still counts. */
  async #endOutside(reason: 'cancelled' | ArilError): Promise<EndWithoutSeq> {
    const completionTokens = this.#emitted.tokenCount;
    const promptTokens = completionTokens > 0 ? (await this.services.engine.encode(this.job.input)).length : 0;
    const counts = { choice: 0, text: '', promptTokens, cachedTokens: 0, completionTokens, ...this.#reasoningTokens };
    if (reason === 'cancelled') return { ...counts, finishReason: 'cancelled', error: null };
    return { ...counts, finishReason: 'error', error: shownOf(reason) };
  }

  /** The end and its settlement become visible together; only then is it reported, so it is decided exactly once. */
  async #finish(end: EndWithoutSeq): Promise<RunOutcome> {
    const { writer, runnerId, metrics } = this.services;
    this.#emitted.add(end.choice, [], end.text);
    this.#emitted.end(end.finishReason);
    const settlement = settlementOf(this.job, runnerId, this.#taken, this.#emitted, end);
    this.#channel.pushEnd(end, JSON.stringify(settlement));
    writer.touch(this.#channel);
    writer.flush();
    if ((await this.#channel.drained()) === 'lost') return 'lost';
    if (!(await this.#report(settlement))) return 'handedBack';
    metrics.ended(settlement, this.job);
    const { finishReason, promptTokens, completionTokens, fence, timings } = settlement;
    const code = end.error?.code;
    this.#logger.info({ finishReason, code, promptTokens, completionTokens, fence, ...timings }, 'generation ended');
    return 'settled';
  }

  /** An earlier runner ended the generation and may have died before it could say so: say it in its words. */
  async #reportAgain(settlementJson: string): Promise<RunOutcome> {
    return (await this.#report(settlementSchema.parse(JSON.parse(settlementJson)))) ? 'settled' : 'handedBack';
  }

  #report(settlement: Settlement): Promise<boolean> {
    return this.services.settlements.report(settlement, () => this.#kind === 'handedBack' || this.#kind === 'lost');
  }

  /** What becomes of a generation that was interrupted or failed on the way. */
  async #stopped(error: unknown): Promise<RunOutcome> {
    const kind = error instanceof Interruption ? error.kind : null;
    if (kind === 'cancelled') return this.#finish(await this.#endOutside('cancelled'));
    const engineGone = error instanceof EngineFailure && error.engineCode === 'closed';
    if (kind === null && !engineGone) return this.#finish(await this.#endOutside(this.#shown(error)));
    if (engineGone) this.services.onEngineGone();
    return kind === 'lost' || (await this.#channel.drained()) === 'lost' ? 'lost' : 'handedBack';
  }

  #shown(error: unknown): ArilError {
    this.#logFailure(error);
    return error instanceof EngineFailure ? error.error : new ArilError('INTERNAL', 'The generation failed inside the runner.');
  }

  #logFailure(error: unknown): void {
    if (error instanceof EngineFailure) {
      this.#logger.warn({ engineCode: error.engineCode, code: error.error.code }, 'generation failed');
    } else {
      this.#logger.error({ err: error }, 'generation failed for an unforeseen reason');
    }
  }
}

const shownOf = ({ code, message }: ArilError): EndWithoutSeq['error'] => ({ code, message });
