/** The command line options that make up a request. */
import type { Command } from 'commander';
import type { GenerationRequest, SamplingOptions } from '../types.js';
import { addConstraintOptions, readConstraint, type ConstraintOptions } from './constraint-options.js';
import type { PromptOptions } from './generate-prompt.js';
import { collect, collectBias, numberIn } from './option-parsers.js';

/** What is generated, from which prompt. */
export interface RequestOptions extends PromptOptions, ConstraintOptions, SamplingOptions {
  maxTokens: number;
  n: number;
  logprobs?: number;
  stop: string[];
}

export function addRequestOptions(command: Command): Command {
  return addConstraintOptions(command)
    .option('-p, --prompt <text>', 'text to continue; - reads standard input')
    .option('-c, --chat <text>', 'message to answer, through the chat template; - reads standard input')
    .option('--system <text>', 'system message, with --chat')
    .option('--prediction <text>', 'what the answer is for the most part, so that it comes faster; - reads standard input')
    .option(
      '-n, --max-tokens <n>',
      'longest answer',
      numberIn({ min: 1, max: 2 ** 31 - 1, whole: true }),
      256,
    )
    .option('-t, --temperature <x>', '0 is greedy', numberIn({ min: 0 }), 0)
    .option(
      '--top-k <n>',
      'sample among the n likeliest tokens; 0 is all',
      numberIn({ min: 0, max: 2 ** 31 - 1, whole: true }),
      0,
    )
    .option(
      '--top-p <x>',
      'sample among the likeliest tokens that hold this probability',
      numberIn({ min: 0, max: 1, above: true }),
      1,
    )
    .option(
      '--min-p <x>',
      'sample among tokens at least this likely, relative to the likeliest',
      numberIn({ min: 0, max: 1 }),
      0,
    )
    .option(
      '--seed <n>',
      'the same seed gives the same text',
      numberIn({ min: 0, max: 2 ** 32 - 1, whole: true }),
      0,
    )
    .option(
      '--repetition-penalty <x>',
      'makes tokens of the prompt and the answer less likely; 1 is off',
      numberIn({ min: 0, above: true }),
      1,
    )
    .option(
      '--frequency-penalty <x>',
      'makes tokens less likely each time they occur in the answer',
      numberIn({ min: -2, max: 2 }),
      0,
    )
    .option(
      '--presence-penalty <x>',
      'makes tokens less likely once they occur in the answer',
      numberIn({ min: -2, max: 2 }),
      0,
    )
    .option('--logit-bias <token=bias>', 'added to the logit of a token id; may be repeated', collectBias, {})
    .option(
      '--min-tokens <n>',
      'no end before so many tokens',
      numberIn({ min: 0, max: 2 ** 31 - 1, whole: true }),
      0,
    )
    .option('--n <n>', 'answers to the one prompt', numberIn({ min: 1, max: 16, whole: true }), 1)
    .option(
      '--logprobs <n>',
      'with --json: log-probabilities of each token and the n likeliest',
      numberIn({ min: 0, max: 20, whole: true }),
    )
    .option('--stop <text>', 'end before this text; may be repeated', collect, []);
}

export function request(promptTokens: number[], options: RequestOptions, predictionTokens?: number[]): Omit<GenerationRequest, 'id'> {
  const { temperature, topK, topP, minP, seed, maxTokens, stop, n, logprobs } = options;
  const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, minTokens } = options;
  const draws = { temperature, topK, topP, minP, seed };
  const adjustments = { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, minTokens };
  const sampling = { ...draws, ...adjustments };
  return { promptTokens, predictionTokens, maxTokens, stop, n, logprobs, constraint: readConstraint(options), sampling };
}
