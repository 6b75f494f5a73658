import type { GenerationJob } from '@aril/contracts';
import { EngineError, type TokenFloor } from '@aril/sgmv-native';
import { requestFailure } from './engine-failures.js';
import { refuseTooLong } from './prompt-length.js';
import { TokenizerLane } from './tokenizer-lane.js';
import type { TextInput, TokenizerThreadData } from './tokenizer-protocol.js';

/**
 * In UTF-16 units. The longest that a short one holds up the others: 8 ms for prose, 45 to 100 ms (an idle core, a busy
 * one) for the worst there is, one word of all that length. From there on the time grows faster than the length.
 */
export const SHORT_MAX = 20_000;

/** A message costs its template's work even when there is nothing in it. */
const MESSAGE_LENGTH = 32;

/**
 * Prompts and conversations to tokens, outside of the runner's thread, which has all tenants' tokens to write. One lane
 * for what is short and one for what is long. Also the short go through a thread: the way there and back is 0.1 ms, and
 * a third copy of the tokenizer (70 MB for a vocabulary of 49 152) would be too much for that.
 */
export class Tokenizing {
  readonly #short: TokenizerLane;
  readonly #long: TokenizerLane;

  constructor(
    private readonly data: TokenizerThreadData,
    private readonly floor: TokenFloor,
  ) {
    this.#short = new TokenizerLane(data);
    this.#long = new TokenizerLane(data);
    this.#short.start();
  }

  /** Rejects with `EngineFailure`, or with the signal's reason as soon as it is aborted. */
  async encode(input: GenerationJob['input'], signal?: AbortSignal): Promise<number[]> {
    if (input.kind === 'tokens') return input.tokens;
    this.#refuseTooLong(input);
    return this.#run(input, signal);
  }

  /** Of what is longer than the context, its beginning. Rejects likewise. */
  encodePrediction(text: string, signal?: AbortSignal): Promise<number[]> {
    return this.#run({ kind: 'prediction', text }, signal);
  }

  #run(input: TextInput, signal?: AbortSignal): Promise<number[]> {
    const length = lengthOf(input);
    return (length <= SHORT_MAX ? this.#short : this.#long).run(input, length, signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.close(), this.#long.close()]);
  }

  /** Templates may leave out most of a conversation, so that is looked at as it is rendered, by the thread. */
  #refuseTooLong(input: TextInput): void {
    if (input.kind !== 'prompt') return;
    try {
      refuseTooLong(input.prompt, this.floor, this.data.positions);
    } catch (error) {
      if (error instanceof EngineError) throw requestFailure(error.code, error.message, error);
      throw error;
    }
  }
}

function lengthOf(input: TextInput): number {
  if (input.kind === 'prompt') return input.prompt.length;
  if (input.kind === 'prediction') return input.text.length;
  const messages = input.messages.map(({ role, content, reasoning = '', toolCalls }) => role.length + content.length + reasoning.length + jsonLength(toolCalls) + MESSAGE_LENGTH);
  return messages.reduce((sum, length) => sum + length, jsonLength(input.tools));
}

const jsonLength = (value: object | undefined): number => (value ? JSON.stringify(value).length : 0);
