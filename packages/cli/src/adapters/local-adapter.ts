/** A folder as PEFT's `save_pretrained()` leaves it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CliError, EXIT } from '../cli-error.js';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';

export interface LocalFile {
  name: string;
  path: string;
  bytes: number;
  sha256: string;
}

/** @throws CliError naming the file that is missing */
export async function readLocalAdapter(folder: string): Promise<LocalFile[]> {
  const files = [];
  for (const name of [CONFIG, WEIGHTS]) files.push(await describe(folder, name));
  return files;
}

async function describe(folder: string, name: string): Promise<LocalFile> {
  const path = join(folder, name);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) {
    const pickle = name === WEIGHTS && (await stat(join(folder, 'adapter_model.bin')).catch(() => null));
    const way = pickle ? '; adapter_model.bin is a pickle: load it with PEFT and save it again with save_pretrained()' : '';
    throw new CliError(`${path}: found no such file, expected the two files that save_pretrained() writes${way}`, EXIT.usage);
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { name, path, bytes: found.size, sha256: hash.digest('hex') };
}

/** What the config says it was trained on; null: nothing that can be read. The API judges it. */
export async function namedBaseModel(files: readonly LocalFile[]): Promise<string | null> {
  const path = files.find(({ name }) => name === CONFIG)?.path ?? '';
  try {
    const { base_model_name_or_path: named } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    return typeof named === 'string' ? named : null;
  } catch {
    return null;
  }
}
