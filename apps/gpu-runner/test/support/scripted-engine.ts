import type { GenerationJob } from '@aril/contracts';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { adapterFailure, requestFailure } from '../../src/engine/engine-failures.js';
import type { EngineLoad, EngineRequest, GenerationSink, InferenceEngine } from '../../src/engine/inference-engine.js';

interface Running {
  request: EngineRequest;
  sink: GenerationSink;
  tokens: number[];
  cancelled: boolean;
}

/**
 * An engine that follows a script instead of a model, for tests of faults: how fast a step is and what goes wrong is
 * set from outside. Tokens depend on (prompt, adapter, seed, position) only, and text lags behind tokens as it does
 * when a character spans several.
 */
export class ScriptedEngine implements InferenceEngine {
  onStep: () => void = () => {};
  stepMs = 2;
  closed = false;
  readonly submitted: EngineRequest[] = [];
  readonly resident = new Set<string>();
  /** Adapters that fit at once; those in use are not dropped. */
  residentMax = Infinity;
  readonly #running = new Map<string, Running>();
  #timer: NodeJS.Timeout | undefined;

  encode(input: GenerationJob['input']): number[] {
    if (input.kind === 'tokens') return input.tokens;
    const text = input.kind === 'prompt' ? input.prompt : input.messages.map(({ role, content }) => `${role}:${content}`).join('\n');
    if (text.includes('<refuse>')) throw requestFailure('bad_argument', 'the template refused it');
    return [...Buffer.from(text)];
  }

  submit(request: EngineRequest, sink: GenerationSink): void {
    if (this.closed) throw requestFailure('closed', 'closed');
    if (request.adapter !== null && !this.resident.has(request.adapter)) throw requestFailure('adapter_unknown', 'not resident');
    if (request.promptTokens.length > 1000) throw requestFailure('context_too_long', `found ${request.promptTokens.length} tokens, expected at most 1000`);
    this.submitted.push(request);
    this.#running.set(request.requestId, { request, sink, tokens: [...request.resumeTokens], cancelled: false });
    this.#schedule();
  }

  cancel(requestId: string): void {
    const running = this.#running.get(requestId);
    if (running) running.cancelled = true;
  }

  async loadAdapter(name: string, folder: string): Promise<void> {
    await access(path.join(folder, 'adapter_model.safetensors'));
    const config = JSON.parse(await readFile(path.join(folder, 'adapter_config.json'), 'utf8')) as { refuse?: string };
    if (config.refuse) throw adapterFailure('adapter_refused', config.refuse);
    this.#makeRoom();
    this.resident.add(name);
  }

  #makeRoom(): void {
    const used = new Set([...this.#running.values()].map(({ request }) => request.adapter));
    for (const name of this.resident) if (this.resident.size >= this.residentMax && !used.has(name)) this.resident.delete(name);
    if (this.resident.size >= this.residentMax) throw adapterFailure('out_of_memory', 'no room');
  }

  hasAdapter(name: string): boolean {
    return this.resident.has(name);
  }

  load(): EngineLoad {
    const counts = { running: this.#running.size, waiting: 0, adaptersResident: this.resident.size };
    return { device: 'script', kvBlocksTotal: 100, kvBlocksFree: 100, adapterBytes: 0, stepMs: this.stepMs, ...counts };
  }

  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.closed = true;
    for (const [id, running] of this.#running) this.#end(id, running, 'cancelled');
    this.onStep();
    return Promise.resolve();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#step(), this.stepMs);
  }

  #step(): void {
    this.#timer = undefined;
    for (const [id, running] of this.#running) this.#advance(id, running);
    this.onStep();
    if (this.#running.size > 0) this.#schedule();
  }

  #advance(id: string, running: Running): void {
    const { request, sink, tokens } = running;
    if (running.cancelled) return this.#end(id, running, 'cancelled');
    if (tokens.length >= request.sampling.maxTokens) return this.#end(id, running, 'length');
    const before = releasedText(tokens).length;
    const token = tokenAt(request, tokens.length);
    if (token === NUMERIC_ERROR) return this.#end(id, running, 'error');
    tokens.push(token);
    sink.onTokens([token], releasedText(tokens).slice(before));
    if (tokens.length === request.sampling.maxTokens) this.#end(id, running, 'length');
  }

  #end(id: string, { request, sink, tokens }: Running, finishReason: 'length' | 'cancelled' | 'error'): void {
    this.#running.delete(id);
    sink.onEnd({
      text: wholeText(tokens).slice(releasedText(tokens).length),
      finishReason,
      promptTokens: request.promptTokens.length,
      completionTokens: tokens.length,
      error: finishReason === 'error' ? requestFailure('numeric_error', 'NaN at layer 3') : null,
    });
  }
}

const NUMERIC_ERROR = -1;

function tokenAt({ promptTokens, adapter, sampling }: EngineRequest, position: number): number {
  const prompt = Buffer.from(promptTokens).toString();
  if (prompt.includes('<nan>') && position === 3) return NUMERIC_ERROR;
  let state = (sampling.temperature === 0 ? 0 : sampling.seed) ^ (position * 2654435761);
  for (const unit of [...promptTokens, ...Buffer.from(adapter ?? '')]) state = Math.imul(state ^ unit, 16777619) >>> 0;
  return state % 50_000;
}

const wholeText = (tokens: number[]): string => tokens.map((token) => ` w${token}`).join('');
/** Every third token holds its text back. */
const releasedText = (tokens: number[]): string => wholeText(tokens.length % 3 === 2 ? tokens.slice(0, -1) : tokens);

/** What an undisturbed run gives. */
export function expectedOutput(request: Omit<EngineRequest, 'requestId' | 'resumeTokens'>): { tokens: number[]; text: string } {
  const whole: EngineRequest = { ...request, requestId: '', resumeTokens: [] };
  const tokens = Array.from({ length: request.sampling.maxTokens }, (_, position) => tokenAt(whole, position));
  return { tokens, text: wholeText(tokens) };
}
