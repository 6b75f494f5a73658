/**
 * Reference outputs: golden.json and golden.safetensors, as made with Transformers and PEFT in float32. A case's logits
 * may be a sample, of the prompt positions that NAME/positions lists and the tokens that NAME/tokens does (int32).
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { exampleAdapters } from './adapter-source.js';
import { CliError } from './cli-error.js';
import type { FloatTensor, SafetensorsFile } from './safetensors.js';

const token = z.number().int().min(0);

const goldenCase = z.object({
  name: z.string(),
  adapter: z.string().nullable(),
  promptTokens: z.array(token).min(1),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).optional(),
  greedy: z.array(token).optional(),
  /** Top logit minus the second one at each step of `greedy`. */
  gaps: z.array(z.number()).optional(),
  finishReason: z.string().optional(),
  text: z.string().optional(),
});

const goldenSchema = z.object({ model: z.string(), cases: z.array(goldenCase) });

export type GoldenCase = z.infer<typeof goldenCase>;

export interface GoldenFolder {
  folder: string;
  /** For resolveModel. */
  model: string;
  cases: GoldenCase[];
}

/** `folder` itself, or the golden folders right below it. */
export function findGoldenFolders(folder: string): string[] {
  const isGolden = (path: string): boolean => existsSync(join(path, 'golden.json'));
  const path = resolve(folder);
  if (isGolden(path)) return [path];
  const below = existsSync(path)
    ? readdirSync(path)
        .sort()
        .map((name) => join(path, name))
        .filter(isGolden)
    : [];
  if (below.length === 0)
    throw new CliError('bad_golden', `${path}: there is no golden.json in it nor right below it.`);
  return below;
}

export function readGolden(folder: string): GoldenFolder {
  const file = join(folder, 'golden.json');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CliError('bad_golden', `${file}: is not JSON: ${(error as Error).message}`);
  }
  const parsed = goldenSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CliError(
      'bad_golden',
      `${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'has the wrong shape'}.`,
    );
  }
  const { model, cases } = parsed.data;
  const beside = join(folder, model);
  return { folder, model: existsSync(beside) ? beside : model, cases };
}

/** The adapter's folder: in `given`, beside golden.json, or among the repository's examples. */
export function findAdapter(name: string, golden: string, given: string | undefined): string {
  const places = [
    ...(given === undefined ? [] : [resolve(given)]),
    join(golden, 'adapters'),
    exampleAdapters,
  ];
  const found = places.map((place) => join(place, name)).find(existsSync);
  if (found) return found;
  throw new CliError(
    'adapter_not_found',
    `Adapter "${name}" is in none of ${places.join(', ')}; name its parent folder with --adapters.`,
  );
}

/** A case's expected logits, [prompt positions, vocabulary] or [vocabulary] of the last position. */
export interface ReferenceLogits extends FloatTensor {
  /** Which of them the file has; null: all. */
  positions: Int32Array | null;
  tokens: Int32Array | null;
}

export async function readReference(file: SafetensorsFile, name: string): Promise<ReferenceLogits> {
  const logits = await file.read(`${name}/logits`);
  if (!logits) throw new CliError('bad_golden', `golden.safetensors has no ${name}/logits.`);
  const [positions, tokens] = await Promise.all(
    ['positions', 'tokens'].map((part) => file.readIntegers(`${name}/${part}`)),
  );
  return { ...logits, positions: positions ?? null, tokens: tokens ?? null };
}

/** What a reference has of `found`, the logits of `rows` positions. */
export function sampleLogits(
  found: Float32Array,
  rows: number,
  { positions, tokens }: Pick<ReferenceLogits, 'positions' | 'tokens'>,
): Float32Array {
  const vocabSize = found.length / rows;
  const chosen = [...(positions ?? Array(rows).keys())].map((at) => {
    const row = found.subarray(at * vocabSize, (at + 1) * vocabSize);
    return tokens ? Float32Array.from(tokens, (token) => row[token] ?? Number.NaN) : row;
  });
  const [first] = chosen;
  const sample = new Float32Array(chosen.length * (first?.length ?? 0));
  chosen.forEach((row, i) => sample.set(row, i * row.length));
  return sample;
}
