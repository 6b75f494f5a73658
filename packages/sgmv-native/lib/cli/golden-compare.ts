/** One golden case against the engine. */
import { CliError } from './cli-error.js';
import type { EngineSession, Generation } from './engine-session.js';
import { sampleLogits, type GoldenCase, type ReferenceLogits } from './golden-file.js';
import type { ModelTokenizer } from '../tokenizer.js';

export interface Difference {
  absolute: number;
  /** To the largest magnitude among the expected logits. */
  relative: number;
  largest: number;
  /** KL divergence of the engine's distribution over the compared tokens from the expected one, mean over positions, in nats. */
  divergence: number;
  /** Share of positions whose best token is the expected one. */
  top1: number;
}

function indexOfLargest(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] as number) > (row[best] as number)) best = i;
  return best;
}

function logSumExp(row: Float32Array): number {
  const largest = row[indexOfLargest(row)] as number;
  let sum = 0;
  for (const logit of row) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

function divergenceOf(found: Float32Array, expected: Float32Array): number {
  const [ours, theirs] = [logSumExp(found), logSumExp(expected)];
  let sum = 0;
  for (let i = 0; i < expected.length; i++) {
    const logProbability = (expected[i] as number) - theirs;
    sum += Math.exp(logProbability) * (logProbability - ((found[i] as number) - ours));
  }
  return sum;
}

/** NaN anywhere makes the difference NaN, which no tolerance accepts. */
export function compareLogits(found: Float32Array, expected: Float32Array, vocabSize: number): Difference {
  if (found.length !== expected.length) {
    throw new CliError(
      'logits_shape',
      `The engine gave ${found.length} logits; expected ${expected.length}.`,
    );
  }
  let absolute = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((found[i] as number) - (expected[i] as number));
    if (!(difference <= absolute)) absolute = difference;
    if (Number.isNaN(absolute)) break;
    largest = Math.max(largest, Math.abs(expected[i] as number));
  }
  let divergence = 0;
  let same = 0;
  const rows = expected.length / vocabSize;
  for (let begin = 0; begin < expected.length; begin += vocabSize) {
    const [ours, theirs] = [found, expected].map((all) => all.subarray(begin, begin + vocabSize)) as [
      Float32Array,
      Float32Array,
    ];
    divergence += divergenceOf(ours, theirs) / rows;
    if (indexOfLargest(ours) === indexOfLargest(theirs)) same += 1;
  }
  const relative = largest > 0 ? absolute / largest : absolute;
  return { absolute, relative, largest, divergence, top1: same / rows };
}

function succeeded(generation: Generation): Generation {
  if (generation.error) throw new CliError(generation.error.code, generation.error.message);
  return generation;
}

/** Logits of prompt positions when the reference has them, else those of the last one. */
export async function checkLogits(
  session: EngineSession,
  golden: GoldenCase,
  adapter: string | undefined,
  expected: ReferenceLogits,
): Promise<Difference> {
  const all = expected.shape.length === 2;
  const { promptTokens } = golden;
  const run = session.run({
    promptTokens,
    adapter,
    maxTokens: 1,
    ignoreEos: true,
    logits: all ? 'prompt' : 'last',
  });
  const { promptLogits, firstLogits } = succeeded(await run);
  const found = (all ? promptLogits : firstLogits) ?? new Float32Array();
  const sample = sampleLogits(found, all ? promptTokens.length : 1, expected);
  return compareLogits(sample, expected.data, expected.shape.at(-1) as number);
}

/**
 * Greedy tokens, equal wherever the reference's best logit leads by more than `tie`. At a tie rounding decides; from
 * there the engine goes on after the reference's token, so that the rest is compared too. Returns the number compared.
 */
export async function checkGreedy(
  session: EngineSession,
  golden: GoldenCase,
  adapter: string | undefined,
  tie: number,
): Promise<number> {
  const { promptTokens, greedy = [], gaps = [], finishReason } = golden;
  const plan = { promptTokens, adapter, maxTokens: greedy.length };
  let known = 0;
  while (known < greedy.length) {
    const generation = succeeded(await session.run({ ...plan, resumeTokens: greedy.slice(0, known) }));
    const tokens = [...greedy.slice(0, known), ...generation.tokens];
    const at = greedy.findIndex((token, i) => token !== tokens[i]);
    if (at < 0) {
      if (finishReason !== undefined && generation.finishReason !== finishReason) {
        throw new CliError(
          'finish_reason',
          `The engine ended with ${generation.finishReason}; expected ${finishReason}.`,
        );
      }
      return greedy.length;
    }
    const gap = gaps[at] ?? Number.POSITIVE_INFINITY;
    if (gap > tie)
      throw new CliError(
        'greedy_token',
        `Step ${at}: found token ${tokens[at] ?? 'none'}; expected ${greedy[at]} (gap ${gap}).`,
      );
    known = at + 1;
  }
  return greedy.length;
}

/** The tokenizer and the chat template, where the case says what went in and what came out. */
export function checkTokenizer(
  tokenizer: ModelTokenizer,
  { messages, promptTokens, greedy, text }: GoldenCase,
): void {
  if (messages && tokenizer.chat(messages).join() !== promptTokens.join()) {
    throw new CliError(
      'prompt_tokens',
      'The chat template and tokenizer give other tokens than promptTokens.',
    );
  }
  if (greedy && text !== undefined) {
    const vocabulary = tokenizer.vocabulary();
    const found = Buffer.concat(greedy.map((token) => vocabulary[token] ?? new Uint8Array())).toString(
      'utf8',
    );
    if (found !== text)
      throw new CliError(
        'text',
        `The tokens read ${JSON.stringify(found)}; expected ${JSON.stringify(text)}.`,
      );
  }
}
