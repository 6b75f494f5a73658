import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './config.js';

const schema = z.object({
  /** Folder with one folder per demo adapter. */
  SEED_ADAPTERS_DIR: z.string(),
  /** JSON file that says how to get into the demo tenants; written once, then kept true. */
  SEED_OUT: z.string(),
  /** Password of the demo users; a random one otherwise. */
  SEED_PASSWORD: z.string().min(8).max(128).optional(),
});

export interface SeedConfig {
  adaptersDir: string;
  out: string;
  password: string | undefined;
}

/** The variables `seed.js` reads besides the API's own. @throws ConfigError */
export function loadSeedConfig(environment: NodeJS.ProcessEnv = process.env): SeedConfig {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new ConfigError(parsed.error.issues);
  const { SEED_ADAPTERS_DIR, SEED_OUT, SEED_PASSWORD } = parsed.data;
  return { adaptersDir: resolve(SEED_ADAPTERS_DIR), out: resolve(SEED_OUT), password: SEED_PASSWORD };
}
