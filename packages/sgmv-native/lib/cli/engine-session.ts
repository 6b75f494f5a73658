/** An engine whose requests are promises. */
import { EngineError } from '../engine-error.js';
import type { Engine, EngineEvent, FinishReason, GenerationRequest, TokenLogprobs } from '../types.js';

export interface Generation {
  tokens: number[];
  text: string;
  finishReason: FinishReason;
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt, found in the prefix cache. */
  cachedTokens: number;
  /** From submission to the end. */
  seconds: number;
  logprobs?: TokenLogprobs[];
  error?: { code: string; message: string };
  /** With `logits: 'last'`: those that chose the first token, [vocab]. */
  firstLogits?: Float32Array;
  /** With `logits: 'prompt'`: [promptTokens, vocab]. */
  promptLogits?: Float32Array;
}

type Listener = (event: EngineEvent) => void;
type Progress = Pick<Generation, 'tokens' | 'text' | 'logprobs' | 'firstLogits' | 'promptLogits'>;

export class EngineSession {
  readonly #listeners = new Map<string, Listener>();
  #submitted = 0;
  #cancelled = false;

  constructor(readonly engine: Engine) {
    engine.onEvents = (events) => {
      for (const event of events) this.#listeners.get(event.id)?.(event);
    };
  }

  /** As `runChoices`, for one choice. */
  async run(
    request: Omit<GenerationRequest, 'id' | 'n'>,
    onText: (text: string) => void = () => {},
  ): Promise<Generation> {
    const [only] = await this.runChoices(request, (_, text) => onText(text));
    return only!;
  }

  /**
   * Settles when all choices of the request have ended, however they ended; only an engine that cannot take any
   * request rejects. `onText` gets what each step released.
   */
  runChoices(
    request: Omit<GenerationRequest, 'id'>,
    onText: (choice: number, text: string) => void,
  ): Promise<Generation[]> {
    const id = `request-${++this.#submitted}`;
    const n = request.n ?? 1;
    if (this.#cancelled) return Promise.resolve(unstarted(request, 'cancelled'));
    return new Promise((resolve, reject) => {
      this.#listeners.set(id, this.#collector(id, n, onText, resolve));
      try {
        this.engine.submit({ ...request, id });
      } catch (error) {
        this.#listeners.delete(id);
        if (!(error instanceof EngineError) || error.code === 'closed') return reject(error);
        resolve(unstarted(request, 'error', error));
      }
    });
  }

  #collector(
    id: string,
    n: number,
    onText: (choice: number, text: string) => void,
    done: (generations: Generation[]) => void,
  ): Listener {
    const started = performance.now();
    const partials = Array.from({ length: n }, (): Progress => ({ tokens: [], text: '' }));
    const ended: Generation[] = [];
    let open = n;
    return (event) => {
      if (event.type === 'prompt') {
        partials[0]!.promptLogits = event.logits;
        return;
      }
      const partial = partials[event.choice]!;
      partial.text += event.text;
      if (event.text) onText(event.choice, event.text);
      if (event.type === 'tokens') {
        partial.tokens.push(...event.tokens);
        if (event.logprobs) (partial.logprobs ??= []).push(...event.logprobs);
        partial.firstLogits ??= event.logits;
        return;
      }
      const { finishReason, promptTokens, completionTokens, cachedTokens, error } = event;
      const counts = { finishReason, promptTokens, completionTokens, cachedTokens };
      const seconds = secondsSince(started);
      ended[event.choice] = { ...partial, ...counts, seconds, ...(error && { error }) };
      if (--open > 0) return;
      this.#listeners.delete(id);
      done(ended);
    };
  }

  /** Ends what runs, and what would be run from now on. */
  cancelAll(): void {
    this.#cancelled = true;
    for (const id of this.#listeners.keys()) this.engine.cancel(id);
  }
}

const secondsSince = (started: number): number => Number(((performance.now() - started) / 1000).toFixed(3));

/** The outcome of a request that did not run, for each of its choices. */
export function unstarted(
  { promptTokens, n }: Omit<GenerationRequest, 'id'>,
  finishReason: FinishReason,
  failure?: EngineError,
): Generation[] {
  const error = failure && { code: failure.code, message: failure.message };
  const counts = { promptTokens: promptTokens.length, completionTokens: 0, cachedTokens: 0, seconds: 0 };
  return Array.from({ length: n ?? 1 }, () => ({
    ...{ tokens: [], text: '', finishReason, ...counts },
    ...(error && { error }),
  }));
}
