/** All cases of one golden folder, run together in one batch. */
import { join } from 'node:path';
import { EngineError } from '../engine-error.js';
import { CliError } from './cli-error.js';
import { checkGreedy, checkLogits, checkTokenizer, type Difference } from './golden-compare.js';
import { findAdapter, readGolden, readReference, type GoldenCase, type GoldenFolder } from './golden-file.js';
import { resolveModel, type ModelSource } from './model-source.js';
import { openModel, type OpenModel } from './open-model.js';
import type { MachineOptions } from './option-parsers.js';
import { SafetensorsFile } from './safetensors.js';

export interface GoldenOptions extends MachineOptions {
  model?: string;
  weights?: string;
  tokenizer?: string;
  adapters?: string;
  /** Largest accepted difference of logits, relative to the largest expected one. Default 2e-3 for exact weights. */
  tolerance?: number;
}

const EXACT_TOLERANCE = 2e-3;
/** Where a reference's best logit leads by more than this, rounded weights must choose it too. */
const ROUNDED_TIE = 0.5;

export interface CaseResult {
  case: string;
  passed: boolean;
  difference: Difference | null;
  greedyTokens: number;
  error?: { code: string; message: string };
}

function asFailure(error: unknown): { code: string; message: string } {
  if (!(error instanceof CliError || error instanceof EngineError)) throw error;
  return { code: error.code, message: error.message };
}

const failed = (name: string, error: unknown): CaseResult => ({
  case: name,
  passed: false,
  difference: null,
  greedyTokens: 0,
  error: asFailure(error),
});

/** A model that cannot be loaded fails every case, by its code. */
export async function runGolden(folder: string, options: GoldenOptions): Promise<CaseResult[]> {
  const golden = readGolden(folder);
  let source: ModelSource;
  let open: OpenModel;
  try {
    source = resolveModel({
      model: options.model ?? golden.model,
      weights: options.weights,
      tokenizer: options.tokenizer,
    });
    // References may name more adapters than serving would keep; all of them stay for the batch.
    const types = { weightType: 'f32' as const, ...options };
    open = await openModel(source, { ...types, adapterBytes: 64 * 2 ** 30 });
  } catch (error) {
    return golden.cases.map(({ name }) => failed(name, error));
  }
  const reference = await SafetensorsFile.open(join(folder, 'golden.safetensors')).catch(
    async (error: unknown) => {
      await open.engine.close();
      throw error;
    },
  );
  try {
    return await Promise.all(golden.cases.map((one) => runCase(open, golden, one, reference, options)));
  } finally {
    await reference.close();
    await open.engine.close();
  }
}

async function runCase(
  { engine, session, tokenizer }: OpenModel,
  { folder }: GoldenFolder,
  one: GoldenCase,
  reference: SafetensorsFile,
  { adapters, tolerance: given }: GoldenOptions,
): Promise<CaseResult> {
  const { weightType, adapterType, kvType } = engine.model;
  const exact = weightType === 'f32' && adapterType !== 'int8' && adapterType !== 'bf16' && kvType === 'f32';
  const tolerance = given ?? (exact ? EXACT_TOLERANCE : undefined);
  const result: CaseResult = { case: one.name, passed: false, difference: null, greedyTokens: 0 };
  try {
    const adapter = one.adapter ?? undefined;
    if (adapter !== undefined) await engine.loadAdapter(adapter, findAdapter(adapter, folder, adapters));
    const expected = await readReference(reference, one.name);
    const difference = await checkLogits(session, one, adapter, expected);
    result.difference = difference;
    if (Number.isNaN(difference.absolute))
      throw new CliError('logits', 'The engine gave NaN; expected numbers.');
    if (tolerance !== undefined && difference.relative > tolerance) {
      throw new CliError(
        'logits',
        `The largest difference is ${difference.relative.toExponential(1)} of the largest logit; expected at most ${tolerance}.`,
      );
    }
    // Two logits may each be off by the tolerance.
    const tie = tolerance === undefined ? ROUNDED_TIE : 2 * tolerance * difference.largest;
    result.greedyTokens = await checkGreedy(session, one, adapter, tie);
    if (tokenizer) checkTokenizer(tokenizer, one);
    result.passed = true;
  } catch (error) {
    result.error = asFailure(error);
  }
  return result;
}
