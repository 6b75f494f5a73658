import type { ScoredToken, TokenLogprob } from '@aril/contracts';
import type { TokenLogprobs } from '@aril/sgmv-native';

/** What JSON, which has no infinity, and OpenAI's clients take for "never". */
const LOGPROB_MIN = -9999;

type EngineScore = Omit<TokenLogprobs, 'top'>;

/** Token ids as people read them. */
export class TokenTexts {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    /** The bytes of each token; null: a special one. */
    private readonly vocabulary: readonly (Uint8Array | null)[],
    /** What a special token is called. */
    private readonly nameOf: (token: number) => string,
  ) {}

  logprobs(scores: readonly TokenLogprobs[]): TokenLogprob[] {
    return scores.map((score) => ({ ...this.#scored(score), top: score.top.map((other) => this.#scored(other)) }));
  }

  /** Of a token by itself: bytes that are no UTF-8 without their neighbours are replaced. */
  textOf(token: number): string {
    const bytes = this.vocabulary[token] ?? null;
    return bytes === null ? this.nameOf(token) : this.#decoder.decode(bytes);
  }

  bytesOf(token: number): Uint8Array | null {
    return this.vocabulary[token] ?? null;
  }

  /** Of tokens one after the other; special ones have none. */
  joined(tokens: readonly number[]): string {
    return this.#decoder.decode(Buffer.concat(tokens.map((token) => this.vocabulary[token] ?? new Uint8Array())));
  }

  #scored({ token, logprob }: EngineScore): ScoredToken {
    const bytes = this.vocabulary[token] ?? null;
    return { token, text: this.textOf(token), bytes: bytes && Array.from(bytes), logprob: Math.max(logprob, LOGPROB_MIN) };
  }
}
