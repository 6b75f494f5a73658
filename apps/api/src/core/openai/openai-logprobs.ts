/** Log probabilities in the two shapes that OpenAI has for them. */
import type { ScoredToken, TokenLogprob } from '@aril/contracts';

const scored = ({ text, logprob, bytes }: ScoredToken) => ({ token: text, logprob, bytes });

export const chatLogprobs = (logprobs: readonly TokenLogprob[]): object => ({
  content: logprobs.map((token) => ({ ...scored(token), top_logprobs: token.top.map(scored) })),
  refusal: null,
});

/** `offset`: where in the text the first token begins, as the tokens' own texts count it. */
export function completionLogprobs(logprobs: readonly TokenLogprob[], offset: number): object {
  let end = offset;
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    // The chosen token is always there, so there can be one more than asked for.
    top_logprobs: logprobs.map((token) => Object.fromEntries([token, ...token.top].map(({ text, logprob }) => [text, logprob]))),
    text_offset: logprobs.map(({ text }) => (end += text.length) - text.length),
  };
}
