/** models/catalog.json: which base models there are, where their files are and what a token of each costs. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';

const price = z.number().int().nonnegative();

/** What the API reads; `weights` is for whoever fetches them. */
const catalogSchema = z.object({
  models: z
    .array(
      z.object({
        id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'expected 1 to 63 of a-z, 0-9, ".", "_", "-"'),
        name: z.string().min(1),
        family: z.string().min(1),
        license: z.string().min(1),
        contextTokens: z.number().int().positive(),
        folder: z.string().min(1),
        prices: z.object({ promptNanoUsdPerToken: price, completionNanoUsdPerToken: price }),
      }),
    )
    .min(1)
    .refine((models) => new Set(models.map(({ id }) => id)).size === models.length, 'expected every id once'),
});

export interface CatalogModel {
  id: string;
  name: string;
  family: string;
  license: string;
  contextTokens: number;
  /** Absolute path of the model's config.json, which adapters are checked against. */
  configPath: string;
  promptNanoUsdPerToken: bigint;
  completionNanoUsdPerToken: bigint;
}

/** @throws Error naming the file and the field at fault. */
export function readCatalog(path: string): CatalogModel[] {
  const parsed = catalogSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`${path}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data.models.map(({ folder, prices, ...model }) => ({
    ...model,
    configPath: join(resolve(dirname(path), folder), 'config.json'),
    promptNanoUsdPerToken: BigInt(prices.promptNanoUsdPerToken),
    completionNanoUsdPerToken: BigInt(prices.completionNanoUsdPerToken),
  }));
}
