/** An engine whose requests are promises. */
import { EngineError } from '../engine-error.js';
import type { Engine, EngineEvent, FinishReason, GenerationRequest } from '../types.js';

export interface Generation {
  tokens: number[];
  text: string;
  finishReason: FinishReason;
  promptTokens: number;
  completionTokens: number;
  error?: { code: string; message: string };
  /** With `logits: 'last'`: those that chose the first token, [vocab]. */
  firstLogits?: Float32Array;
  /** With `logits: 'prompt'`: [promptTokens, vocab]. */
  promptLogits?: Float32Array;
}

type Listener = (event: EngineEvent) => void;

export class EngineSession {
  readonly #listeners = new Map<string, Listener>();
  #submitted = 0;
  #cancelled = false;

  constructor(readonly engine: Engine) {
    engine.onEvents = (events) => {
      for (const event of events) this.#listeners.get(event.id)?.(event);
    };
  }

  /**
   * Settles when the request has ended, however it ended; only an engine that cannot take any request rejects.
   * `onText` gets what each step released.
   */
  run(
    request: Omit<GenerationRequest, 'id'>,
    onText: (text: string) => void = () => {},
  ): Promise<Generation> {
    const id = `request-${++this.#submitted}`;
    const promptTokens = request.promptTokens.length;
    if (this.#cancelled) {
      const nothing = { tokens: [], text: '', promptTokens, completionTokens: 0 };
      return Promise.resolve({ ...nothing, finishReason: 'cancelled' });
    }
    return new Promise((resolve, reject) => {
      this.#listeners.set(id, this.#collector(id, onText, resolve));
      try {
        this.engine.submit({ ...request, id });
      } catch (error) {
        this.#listeners.delete(id);
        if (!(error instanceof EngineError) || error.code === 'closed') return reject(error);
        const { code, message } = error;
        const refused = { tokens: [], text: '', promptTokens, completionTokens: 0, error: { code, message } };
        resolve({ ...refused, finishReason: 'error' });
      }
    });
  }

  #collector(id: string, onText: (text: string) => void, done: (generation: Generation) => void): Listener {
    const partial: Pick<Generation, 'tokens' | 'text' | 'firstLogits' | 'promptLogits'> = {
      tokens: [],
      text: '',
    };
    return (event) => {
      if (event.type === 'promptLogits') {
        partial.promptLogits = event.logits;
        return;
      }
      partial.text += event.text;
      if (event.text) onText(event.text);
      if (event.type === 'tokens') {
        partial.tokens.push(...event.tokens);
        partial.firstLogits ??= event.logits;
        return;
      }
      this.#listeners.delete(id);
      const { finishReason, promptTokens, completionTokens, error } = event;
      done({ ...partial, finishReason, promptTokens, completionTokens, ...(error && { error }) });
    };
  }

  /** Ends what runs, and what would be run from now on. */
  cancelAll(): void {
    this.#cancelled = true;
    for (const id of this.#listeners.keys()) this.engine.cancel(id);
  }
}
