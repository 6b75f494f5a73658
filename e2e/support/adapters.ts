/** Adapter files for uploads: the examples as they are, and broken in ways users break them. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLES = fileURLToPath(new URL('../../examples/adapters', import.meta.url));
export const CONFIG = 'adapter_config.json';
export const TENSORS = 'adapter_model.safetensors';

export const exampleFiles = (name: string): string[] =>
  [CONFIG, TENSORS].map((file) => join(EXAMPLES, name, file));

/** A copy of an example whose config or tensors were changed. */
export function brokenFiles(
  name: string,
  change: { config?: object; tensors?: (bytes: Buffer) => Buffer },
): string[] {
  const [config, tensors] = exampleFiles(name) as [string, string];
  const folder = mkdtempSync(join(tmpdir(), 'aril-broken-'));
  mkdirSync(folder, { recursive: true });
  const parsed = JSON.parse(readFileSync(config, 'utf8')) as object;
  const bytes = readFileSync(tensors);
  writeFileSync(join(folder, CONFIG), JSON.stringify({ ...parsed, ...change.config }));
  writeFileSync(join(folder, TENSORS), change.tensors ? change.tensors(bytes) : bytes);
  return [CONFIG, TENSORS].map((file) => join(folder, file));
}
