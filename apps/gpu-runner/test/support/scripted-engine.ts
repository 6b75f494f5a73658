import type { FinishReason, GenerationJob, TokenLogprob } from '@aril/contracts';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { adapterFailure, requestFailure } from '../../src/engine/engine-failures.js';
import {
  EngineFailure,
  type EngineLoad,
  type EngineRequest,
  type GenerationSink,
  type InferenceEngine,
  type PromptText,
  type ResidentAdapter,
} from '../../src/engine/inference-engine.js';

interface Running {
  request: EngineRequest;
  sink: GenerationSink;
  /** By choice; null: it has ended. */
  choices: (number[] | null)[];
  cancelled: boolean;
  promptTold: boolean;
}

/**
 * An engine that follows a script instead of a model, for tests of faults: how fast a step is and what goes wrong is
 * set from outside. Tokens depend on (prompt, adapter, seed, choice, position) only, and text lags behind tokens as it
 * does when a character spans several. Every choice but the first stops some tokens before the one before it.
 */
export class ScriptedEngine implements InferenceEngine {
  onStep: () => void = () => {};
  stepMs = 2;
  closed = false;
  readonly submitted: EngineRequest[] = [];
  /** The least recently used first. */
  readonly resident = new Set<string>();
  readonly prefetched: string[] = [];
  /** Adapters that fit at once; those in use are not dropped. */
  residentMax = Infinity;
  readonly #running = new Map<string, Running>();
  #timer: NodeJS.Timeout | undefined;

  async encode(input: GenerationJob['input']): Promise<number[]> {
    if (input.kind === 'tokens') return input.tokens;
    const text = input.kind === 'prompt' ? input.prompt : input.messages.map(({ role, content }) => `${role}:${content}`).join('\n');
    if (text.includes('<refuse>')) throw requestFailure('bad_argument', 'the template refused it');
    return [...Buffer.from(text)];
  }

  async encodePrediction(text: string): Promise<number[]> {
    return [...Buffer.from(text)];
  }

  promptText(_input: GenerationJob['input'], tokens: readonly number[]): PromptText {
    return { text: Buffer.from(tokens).toString(), opening: Buffer.from(tokens.slice(0, 1)).toString() };
  }

  thoughtPlace(): null {
    return null;
  }

  submit(request: EngineRequest, sink: GenerationSink): void {
    if (this.closed) throw requestFailure('closed', 'closed');
    if (request.adapter !== null && !this.resident.has(request.adapter)) throw requestFailure('adapter_unknown', 'not resident');
    if (request.promptTokens.length > 1000) throw requestFailure('context_too_long', `found ${request.promptTokens.length} tokens, expected at most 1000`);
    this.submitted.push(request);
    this.#running.set(request.requestId, { request, sink, choices: request.resumeTokens.map((tokens) => [...tokens]), cancelled: false, promptTold: false });
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

  #used(): Set<string | null> {
    return new Set([...this.#running.values()].map(({ request }) => request.adapter));
  }

  #makeRoom(): void {
    const used = this.#used();
    for (const name of this.resident) if (this.resident.size >= this.residentMax && !used.has(name)) this.resident.delete(name);
    if (this.resident.size >= this.residentMax) throw adapterFailure('out_of_memory', 'no room');
  }

  async prefetchAdapter(name: string, folder: string): Promise<boolean> {
    this.prefetched.push(name);
    try {
      await this.loadAdapter(name, folder);
      return true;
    } catch (error) {
      if (error instanceof EngineFailure && error.engineCode === 'out_of_memory') return false;
      throw error;
    }
  }

  touchAdapter(name: string): void {
    if (this.resident.delete(name)) this.resident.add(name);
  }

  adapters(): ResidentAdapter[] {
    const used = this.#used();
    return [...this.resident].map((name) => ({ name, bytes: 1, pinned: used.has(name) }));
  }

  hasAdapter(name: string): boolean {
    return this.resident.has(name);
  }

  load(): EngineLoad {
    const counts = { running: this.#running.size, waiting: 0, adaptersResident: this.resident.size };
    const bytes = { adapterBytes: this.resident.size, adapterBytesMax: this.residentMax };
    return { device: 'script', kvBlocksTotal: 100, kvBlocksFree: 100, stepMs: this.stepMs, ...counts, ...bytes };
  }

  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.closed = true;
    for (const [id, running] of this.#running) this.#endAll(id, running, 'cancelled');
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
    if (running.cancelled) return this.#endAll(id, running, 'cancelled');
    const { promptLogprobs, promptTokens } = running.request;
    if (promptLogprobs !== null && !running.promptTold) running.sink.onPrompt(promptTokens.slice(1).map((token) => scoreOf(token, promptLogprobs)));
    running.promptTold = true;
    running.choices.forEach((tokens, choice) => tokens && this.#advanceChoice(id, running, choice, tokens));
  }

  #advanceChoice(id: string, running: Running, choice: number, tokens: number[]): void {
    const { request, sink } = running;
    const last = lengthOf(request, choice);
    const reason = choice === 0 ? 'length' : 'stop';
    if (tokens.length >= last) return this.#end(id, running, choice, reason);
    const before = releasedText(tokens).length;
    const token = tokenAt(request, choice, tokens.length);
    if (token === NUMERIC_ERROR) return this.#end(id, running, choice, 'error');
    tokens.push(token);
    const logprobs = request.logprobs === null ? null : [scoreOf(token, request.logprobs)];
    sink.onTokens({ choice, tokens: [token], text: releasedText(tokens).slice(before), reasoningTokens: 0, logprobs });
    if (tokens.length === last) this.#end(id, running, choice, reason);
  }

  #endAll(id: string, running: Running, finishReason: FinishReason): void {
    for (const choice of running.choices.keys()) this.#end(id, running, choice, finishReason);
  }

  #end(id: string, running: Running, choice: number, finishReason: FinishReason): void {
    const { request, sink, choices } = running;
    const tokens = choices[choice];
    if (!tokens) return;
    choices[choice] = null;
    if (choices.every((other) => other === null)) this.#running.delete(id);
    sink.onEnd({
      choice,
      text: wholeText(tokens).slice(releasedText(tokens).length),
      finishReason,
      promptTokens: request.promptTokens.length,
      cachedTokens: 3,
      predictedTokens: request.predictionTokens.filter((token, at) => token === tokens[at]).length,
      error: finishReason === 'error' ? requestFailure('numeric_error', 'NaN at layer 3') : null,
    });
  }
}

const NUMERIC_ERROR = -1;

function tokenAt({ promptTokens, adapter, sampling }: Undisturbed, choice: number, position: number): number {
  const prompt = Buffer.from(promptTokens).toString();
  if (prompt.includes('<nan>') && position === 3 && (choice === 1 || !prompt.includes('<nan> in the second'))) return NUMERIC_ERROR;
  let state = (sampling.temperature === 0 ? 0 : sampling.seed) ^ (position * 2654435761) ^ (choice << 16);
  for (const unit of [...promptTokens, ...Buffer.from(adapter ?? '')]) state = Math.imul(state ^ unit, 16777619) >>> 0;
  return state % 50_000;
}

const lengthOf = ({ sampling }: Undisturbed, choice: number): number => Math.max(1, sampling.maxTokens - 7 * choice);

function scoreOf(token: number, top: number): TokenLogprob {
  const scored = { token, text: ` w${token}`, bytes: [...Buffer.from(` w${token}`)], logprob: -(token % 7) };
  return { ...scored, top: Array.from({ length: top }, () => scored) };
}

const wholeText = (tokens: number[]): string => tokens.map((token) => ` w${token}`).join('');
/** Every third token holds its text back. */
const releasedText = (tokens: number[]): string => wholeText(tokens.length % 3 === 2 ? tokens.slice(0, -1) : tokens);

type Undisturbed = Pick<EngineRequest, 'promptTokens' | 'adapter' | 'sampling'>;

/** What an undisturbed run gives for one choice. */
export function expectedOutput(request: Undisturbed, choice = 0): { tokens: number[]; text: string } {
  const tokens = Array.from({ length: lengthOf(request, choice) }, (_, position) => tokenAt(request, choice, position));
  return { tokens, text: wholeText(tokens) };
}
