/** What `--adapter` names: `DIR`, `name=DIR`, or the name of one of the repository's example adapters. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CliError } from './cli-error.js';
import { repositoryFolder } from './model-source.js';

export interface AdapterSource {
  name: string;
  folder: string;
}

export const exampleAdapters = join(repositoryFolder, 'examples', 'adapters');

export function adapterFolder(text: string): string {
  const path = resolve(text);
  if (existsSync(path)) return path;
  const example = join(exampleAdapters, text);
  if (/^[\w.-]+$/.test(text) && existsSync(example)) return example;
  throw new CliError(
    'adapter_not_found',
    `--adapter: found "${text}", which does not exist; expected the folder of a PEFT adapter.`,
  );
}

/** Names must differ, since they head the columns and name the adapters in the engine. */
export function resolveAdapters(texts: string[]): AdapterSource[] {
  const adapters = texts.map((text) => {
    const named = /^([^=/\\]+)=(.+)$/.exec(text);
    if (!named || existsSync(resolve(text)))
      return { name: basename(resolve(text)), folder: adapterFolder(text) };
    return { name: named[1] as string, folder: adapterFolder(named[2] as string) };
  });
  for (const { name } of adapters) {
    if (adapters.filter((other) => other.name === name).length > 1) {
      throw new CliError(
        'bad_argument',
        `--adapter: two adapters are called "${name}"; give them names: --adapter name=DIR.`,
      );
    }
  }
  return adapters;
}
