/** The file that says how to get into the demo tenants. It holds passwords and keys, so it is its owner's only. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const schema = z.object({
  tenants: z.array(
    z.object({
      name: z.string(),
      slug: z.string(),
      login: z.string(),
      password: z.string(),
      apiKey: z.string(),
      adapters: z.array(z.string()),
      /** Files of earlier versions know of none. */
      deployments: z.array(z.string()).default([]),
    }),
  ),
});
export type SeedOut = z.infer<typeof schema>;
export type SeededTenant = SeedOut['tenants'][number];

/** A damaged file is as good as none: passwords and keys are then made anew. */
export function readSeedOut(path: string): SeedOut {
  if (!existsSync(path)) return { tenants: [] };
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return { tenants: [] };
  }
}

export async function writeSeedOut(path: string, out: SeedOut): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(out, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
