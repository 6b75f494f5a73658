import type { ArilError, FinishReason, GenerationJob, Sampling } from '@aril/contracts';

/**
 * What the consumer needs of an engine, in the contracts' words. The native engine implements it; fault tests
 * implement it with a script. All failures are `EngineFailure`.
 */
export interface InferenceEngine {
  /** Tokens of a prompt or of messages through the model's own chat template. */
  encode(input: GenerationJob['input']): number[];
  /** Events of the request go to `sink`, from a later turn of the event loop on, until its `onEnd`. */
  submit(request: EngineRequest, sink: GenerationSink): void;
  /** The request ends as cancelled unless it has ended. */
  cancel(requestId: string): void;
  /** Makes the PEFT folder resident; at once if it is already. */
  loadAdapter(name: string, folder: string): Promise<void>;
  hasAdapter(name: string): boolean;
  load(): EngineLoad;
  /** Called once after the events of each engine step have been given to their sinks. */
  onStep: () => void;
  /** Ends all requests as cancelled and frees the memory. */
  close(): Promise<void>;
}

export interface EngineRequest {
  requestId: string;
  promptTokens: number[];
  /** Already emitted by an earlier run of the same generation; not emitted again. */
  resumeTokens: number[];
  adapter: string | null;
  sampling: Sampling;
}

export interface GenerationSink {
  onTokens(tokens: number[], text: string): void;
  onEnd(end: EngineEnd): void;
}

export interface EngineEnd {
  /** Text that was held back and turned out to be wanted. */
  text: string;
  finishReason: FinishReason;
  promptTokens: number;
  completionTokens: number;
  error: EngineFailure | null;
}

export interface EngineLoad {
  device: string;
  running: number;
  waiting: number;
  kvBlocksTotal: number;
  kvBlocksFree: number;
  adaptersResident: number;
  adapterBytes: number;
  stepMs: number;
}

/** A failure in terms the consumer acts on; `error` is what the caller may see. */
export class EngineFailure extends Error {
  constructor(
    /** The engine's stable code, such as `out_of_memory`. */
    readonly engineCode: string,
    readonly error: ArilError,
    options?: ErrorOptions,
  ) {
    super(`${engineCode}: ${error.message}`, options);
    this.name = 'EngineFailure';
  }
}
