/** Log probabilities in the shapes that OpenAI has for them. */
import type { ScoredToken, TokenLogprob } from '@aril/contracts';
import type { Echo } from '../generations/events/collect.js';

const scored = ({ text, logprob, bytes }: ScoredToken) => ({ token: text, logprob, bytes });

export const scoredTokens = (logprobs: readonly TokenLogprob[]): object[] =>
  logprobs.map((token) => ({ ...scored(token), top_logprobs: token.top.map(scored) }));

export const chatLogprobs = (logprobs: readonly TokenLogprob[]): object => ({ content: scoredTokens(logprobs), refusal: null });

/** A token of a completion or of an echoed prompt, whose first token has no log probability. */
export type EchoLogprob = Omit<TokenLogprob, 'token' | 'bytes' | 'logprob'> & { logprob: number | null };

export function echoLogprobs(prompt: Echo | null): EchoLogprob[] {
  return prompt?.logprobs ? [{ text: prompt.opening, logprob: null, top: [] }, ...prompt.logprobs] : [];
}

/** `offset`: where in the text the first token begins, as the tokens' own texts count it. */
export function completionLogprobs(logprobs: readonly EchoLogprob[], offset: number): object {
  let end = offset;
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    // The chosen token is always there, so there can be one more than asked for.
    top_logprobs: logprobs.map((token) =>
      token.logprob === null ? null : Object.fromEntries([token, ...token.top].map(({ text, logprob }) => [text, logprob])),
    ),
    text_offset: logprobs.map(({ text }) => (end += text.length) - text.length),
  };
}
