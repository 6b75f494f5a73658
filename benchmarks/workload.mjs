/**
 * The workload every system gets: prompts of random tokens, greedy, end token ignored. A turn's specification is one
 * JSON file that the engine's, vLLM's, PEFT's and llama.cpp's drivers all read:
 *   { model, adapters: [folder], newTokens, prompts: [[token]], runs: [{ name, adapters: [index, -1 = base] }] }
 * and each writes { runs: [{ name, seconds, tokens, ttftMs: [], tpotMs: [] }] }.
 */
import { uniform } from './random.mjs';

export const POPULARITY_LABELS = {
  base: 'base only',
  identical: 'Identical',
  uniform: 'Uniform',
  skewed: 'Skewed',
  distinct: 'Distinct',
};

/** `count` prompts; no token below 100, where special tokens are. */
export function randomPrompts(count, tokens, seed, vocabSize = 40_000) {
  const next = uniform(seed);
  const range = Math.min(vocabSize, 40_000) - 100;
  return Array.from({ length: count }, () =>
    Array.from({ length: tokens }, () => 100 + Math.floor(next() * range)),
  );
}

/** Figures of one request from the times (ms) at which its tokens came, counted from its submission. */
export function requestLatency(times) {
  return { ttftMs: times[0], tpotMs: (times.at(-1) - times[0]) / (times.length - 1) };
}
