/**
 * What `--model` names: a folder, a .gguf file, or the name of a model in the repository's catalog, whose weights
 * lie in the cache.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from './cli-error.js';

/** This file runs as packages/sgmv-native/dist/cli/model-source.js and is tested as lib/cli/model-source.ts. */
export const repositoryFolder = fileURLToPath(new URL('../../../../', import.meta.url));

export interface ModelSource {
  /** As a person would call it. */
  name: string;
  /** For createEngine: a .gguf file or a folder with safetensors. */
  weights: string;
  /** For inspectAdapter and readModelShape; needs no weights. */
  config: string;
  /** Null when there is no tokenizer.json where one was looked for. */
  tokenizerFolder: string | null;
}

export interface ModelOptions {
  model: string;
  weights?: string;
  tokenizer?: string;
}

interface CatalogModel {
  id: string;
  folder: string;
  weights?: { file: string };
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();
const isGguf = (path: string): boolean =>
  path.toLowerCase().endsWith('.gguf') && existsSync(path) && !isFolder(path);
const has = (folder: string, file: string): boolean => existsSync(join(folder, file));

function readCatalog(): CatalogModel[] {
  const file = join(repositoryFolder, 'models', 'catalog.json');
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { models: CatalogModel[] }).models
    : [];
}

export const cacheFolder = (): string => process.env.ARIL_CACHE || join(homedir(), '.cache', 'aril');

/** The folder or .gguf file that `model` names. */
function locate(model: string): string {
  const path = resolve(model);
  if (isFolder(path) || isGguf(path)) return path;
  if (existsSync(path)) {
    if (basename(path) === 'config.json') return dirname(path);
    throw new CliError(
      'model_not_found',
      `--model: found the file ${path}; expected a folder, a .gguf file or a name.`,
    );
  }
  const named = join(
    repositoryFolder,
    'models',
    readCatalog().find(({ id }) => id === model)?.folder ?? model,
  );
  if (/^[\w.-]+$/.test(model) && isFolder(named)) return named;
  const names = readCatalog().map(({ id }) => id);
  throw new CliError(
    'model_not_found',
    `--model: found "${model}", which does not exist; expected a folder, a .gguf file${names.length > 0 ? ` or one of: ${names.join(', ')}` : ''}.`,
  );
}

/** Weights that the start scripts fetched for a model of the catalog, or null if `folder` is not one. */
function cachedWeights(folder: string): string | null {
  const catalog = readCatalog();
  const entry = catalog.find((one) => join(repositoryFolder, 'models', one.folder) === folder);
  if (!entry?.weights) return null;
  const given = entry === catalog[0] ? process.env.MODEL_PATH || process.env.ARIL_MODEL_WEIGHTS : undefined;
  const file = given || join(cacheFolder(), 'models', entry.weights.file);
  if (existsSync(file)) return file;
  throw new CliError(
    'model_not_found',
    `--model: the weights of ${entry.id} are not at ${file}. \`npm start\` fetches them; a copy elsewhere can be named with --weights.`,
  );
}

function weightsIn(folder: string): string {
  const files = readdirSync(folder);
  if (files.some((file) => file.endsWith('.safetensors') || file.endsWith('.safetensors.index.json')))
    return folder;
  const ggufs = files.filter((file) => isGguf(join(folder, file)));
  if (ggufs.length === 1) return join(folder, ggufs[0] as string);
  if (ggufs.length > 1) {
    throw new CliError(
      'model_not_found',
      `--model: ${folder} has ${ggufs.length} .gguf files; name one with --weights.`,
    );
  }
  const cached = cachedWeights(folder);
  if (cached) return cached;
  throw new CliError(
    'model_not_found',
    `--model: ${folder} has neither *.safetensors nor a .gguf file; name one with --weights.`,
  );
}

function findTokenizer(folder: string, options: ModelOptions): string | null {
  if (options.tokenizer === undefined) {
    if (has(folder, 'tokenizer.json')) return folder;
    // A .gguf file in the cache lies alone; the rest of its model is in the repository.
    const entry = readCatalog().find(({ weights }) => weights && basename(options.model) === weights.file);
    return entry ? join(repositoryFolder, 'models', entry.folder) : null;
  }
  const given = resolve(options.tokenizer);
  const chosen = isFolder(given) ? given : dirname(given);
  if (has(chosen, 'tokenizer.json')) return chosen;
  throw new CliError('model_not_found', `--tokenizer: there is no tokenizer.json in ${chosen}.`);
}

/** Where the model's shape is described. Weights need not be there. */
export function resolveConfig(model: string): { name: string; config: string } {
  const place = locate(model);
  if (!isFolder(place)) return { name: basename(place, '.gguf'), config: place };
  if (has(place, 'config.json')) return { name: basename(place), config: place };
  return { name: basename(place), config: weightsIn(place) };
}

/** Everything needed to run the model. Throws CliError `model_not_found`. */
export function resolveModel(options: ModelOptions): ModelSource {
  const place = locate(options.model);
  const folder = isFolder(place) ? place : dirname(place);
  const weights =
    options.weights === undefined ? (folder === place ? weightsIn(place) : place) : resolve(options.weights);
  if (!existsSync(weights)) throw new CliError('model_not_found', `--weights: ${weights} does not exist.`);
  return { ...resolveConfig(options.model), weights, tokenizerFolder: findTokenizer(folder, options) };
}
