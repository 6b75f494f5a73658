import { createEngine, EngineError, ModelTokenizer, type Engine, type EngineEvent } from '@aril/sgmv-native';
import type { GenerationJob } from '@aril/contracts';
import type { Config } from '../config.js';
import { adapterFailure, requestFailure } from './engine-failures.js';
import type { EngineEnd, EngineLoad, EngineRequest, GenerationSink, InferenceEngine } from './inference-engine.js';

/** The native engine and the model's own tokenizer behind the consumer's interface. */
export class NativeEngine implements InferenceEngine {
  readonly #sinks = new Map<string, GenerationSink>();
  onStep: () => void = () => {};

  private constructor(
    private readonly engine: Engine,
    private readonly tokenizer: ModelTokenizer,
  ) {
    engine.onEvents = (events) => this.#dispatch(events);
  }

  /** Takes as long as reading the weights; the event loop stays free. */
  static async start(config: Config): Promise<NativeEngine> {
    const tokenizer = await ModelTokenizer.load(config.MODEL_DIR);
    const engine = await createEngine({
      model: config.MODEL_WEIGHTS ?? config.MODEL_DIR,
      vocabulary: tokenizer.vocabulary(),
      kvBytes: config.KV_BYTES,
      adapterBytes: config.ADAPTER_BYTES,
      maxBatch: config.MAX_BATCH,
      maxStepTokens: config.MAX_STEP_TOKENS,
      threads: config.ENGINE_THREADS,
    });
    return new NativeEngine(engine, tokenizer);
  }

  encode(input: GenerationJob['input']): number[] {
    try {
      if (input.kind === 'tokens') return input.tokens;
      return Array.from(
        input.kind === 'prompt'
          ? this.tokenizer.encode(input.prompt, { addSpecialTokens: true })
          : this.tokenizer.chat(input.messages),
      );
    } catch (error) {
      // Chat templates refuse some conversations (`raise_exception`), for example two user turns in a row.
      throw requestFailure('bad_argument', `The model's chat template refused the input: ${messageOf(error)}`, error);
    }
  }

  submit(request: EngineRequest, sink: GenerationSink): void {
    const { sampling } = request;
    this.#sinks.set(request.requestId, sink);
    try {
      this.engine.submit({
        id: request.requestId,
        promptTokens: request.promptTokens,
        resumeTokens: request.resumeTokens.length > 0 ? request.resumeTokens : undefined,
        adapter: request.adapter ?? undefined,
        sampling: {
          temperature: sampling.temperature,
          topK: sampling.topK,
          topP: sampling.topP,
          minP: sampling.minP,
          seed: sampling.seed,
        },
        maxTokens: sampling.maxTokens,
        stop: sampling.stop,
        stopTokens: sampling.stopTokens,
        ignoreEos: sampling.ignoreEos,
      });
    } catch (error) {
      this.#sinks.delete(request.requestId);
      throw requestFailure(codeOf(error), messageOf(error), error);
    }
  }

  cancel(requestId: string): void {
    this.engine.cancel(requestId);
  }

  async loadAdapter(name: string, folder: string): Promise<void> {
    try {
      await this.engine.loadAdapter(name, folder);
    } catch (error) {
      // Tenants see this sentence: it names their file, not where the runner keeps it.
      throw adapterFailure(codeOf(error), messageOf(error).replaceAll(`${folder}/`, ''), error);
    }
  }

  hasAdapter(name: string): boolean {
    return this.engine.adapters().some((adapter) => adapter.name === name);
  }

  load(): EngineLoad {
    return this.engine.stats();
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  #dispatch(events: EngineEvent[]): void {
    for (const event of events) {
      const sink = this.#sinks.get(event.id);
      if (event.type === 'tokens') sink?.onTokens(event.tokens, event.text);
      if (event.type !== 'end') continue;
      this.#sinks.delete(event.id);
      sink?.onEnd(endOf(event));
    }
    this.onStep();
  }
}

function endOf(event: Extract<EngineEvent, { type: 'end' }>): EngineEnd {
  const { text, finishReason, promptTokens, completionTokens, error } = event;
  return {
    text,
    finishReason,
    promptTokens,
    completionTokens,
    error: error ? requestFailure(error.code, error.message) : null,
  };
}

const codeOf = (error: unknown): string => (error instanceof EngineError ? error.code : 'internal');
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
