/**
 * The most that a request can use, known before it is tokenized: what its budget has to have left. It must never be less
 * than what is charged; more of it than needed refuses callers too early, so it is bounded by the context, which prompt
 * and answer share.
 */
import type { Price } from '../../models/ledger.model.js';
import { maxTokensOf, type GenerationInput, type GenerationRequest } from './generation-request.js';

interface WorstCase {
  tokens: number;
  nanoUsd: bigint;
}

/** Begin and end marks around a prompt. */
const MARKS_TOKENS = 8;
/** What chat templates say on their own: a system prompt of the model's, today's date, how tools are to be called. */
const TEMPLATE_TOKENS = 1_000;
/** Its role and the marks around it. */
const MESSAGE_TOKENS = 16;
/** The shape that a template, or the words that stand for one, put a tool into. */
const TOOL_TOKENS = 100;

export function worstCase(request: Pick<GenerationRequest, 'input' | 'sampling' | 'n'>, contextTokens: number, price: Price): WorstCase {
  const maxTokens = maxTokensOf(request.sampling, contextTokens);
  const [least, most] = promptTokens(request.input, contextTokens);
  // The longest prompt that takes nothing away from the answers; after it each of its tokens costs one of each answer.
  const fullAnswers = Math.min(most, Math.max(least, contextTokens - maxTokens));
  const cases = [fullAnswers, most].map((prompt) => {
    const completion = request.n * Math.min(maxTokens, contextTokens - prompt);
    return {
      tokens: prompt + completion,
      nanoUsd: BigInt(prompt) * price.promptNanoUsdPerToken + BigInt(completion) * price.completionNanoUsdPerToken,
    };
  });
  // Which of the two is worse depends on the prices.
  return {
    tokens: Math.max(...cases.map(({ tokens }) => tokens)),
    nanoUsd: cases.reduce((worst, { nanoUsd }) => (nanoUsd > worst ? nanoUsd : worst), 0n),
  };
}

/** At least and at most; a prompt that fills the context is refused, and costs nothing. */
function promptTokens(input: GenerationInput, contextTokens: number): [least: number, most: number] {
  if (input.kind === 'tokens') return [input.tokens.length, input.tokens.length];
  return [0, Math.min(textTokensMax(input, contextTokens), contextTokens - 1)];
}

/**
 * A token of a byte-level or byte-fallback tokenizer stands for a byte at least, so a text has no more tokens than bytes
 * in the form that the tokenizer gives it, which can be NFC. Of messages all that a template may write counts, whatever
 * their fields: their JSON, spread out as templates spread it.
 */
function textTokensMax(input: Exclude<GenerationInput, { kind: 'tokens' }>, contextTokens: number): number {
  if (input.kind === 'prompt') return MARKS_TOKENS + bytesMax(input.prompt, contextTokens);
  const { messages, tools = [] } = input;
  const overhead = MARKS_TOKENS + TEMPLATE_TOKENS + MESSAGE_TOKENS * messages.length + TOOL_TOKENS * tools.length;
  const compact = JSON.stringify(input);
  // Spread out, a few megabytes at some depth are half a gigabyte of spaces.
  return overhead + (compact.length >= contextTokens ? compact.length : bytesMax(JSON.stringify(input, null, 4), contextTokens));
}

/** Of a text that fills the context anyway its length is enough. */
function bytesMax(text: string, contextTokens: number): number {
  return text.length >= contextTokens ? text.length : Math.max(Buffer.byteLength(text), Buffer.byteLength(text.normalize('NFC')));
}
