/** What every section gets: the model, where things are kept, and how thorough to be. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createEngine } from '@aril/sgmv-native';
import { provideWeights, readCatalog } from '../scripts/lib/model.mjs';
import { readSettings } from '../scripts/lib/settings.mjs';

/**
 * @typedef {object} Context
 * @property {boolean} quick one short round, to see that everything runs
 * @property {number} rounds
 * @property {string} model weights file @property {string} config folder of its config.json and tokenizer
 * @property {import('@aril/sgmv-native').ModelInfo} modelInfo
 * @property {object} engineOptions given to every engine of ours
 * @property {string} cache kept from run to run @property {string} scratch of this run
 * @property {string} peersFolder @property {Record<string, object>} peers as install.mjs gives them
 * @property {(text: string) => void} note
 */

/** @returns {Promise<Context & { device: string }>} */
export async function prepare({ quick, rounds, model, engineOptions, note }) {
  const settings = readSettings(process.env, []);
  const catalog = readCatalog(settings.repository);
  mkdirSync(settings.logs, { recursive: true });
  const weights = model ? resolve(model) : await provideWeights(settings, catalog.weights, note);
  const engine = await createEngine({ model: weights, ...engineOptions });
  const { device } = engine.stats();
  const modelInfo = engine.model;
  await engine.close();
  return {
    quick,
    rounds: rounds ?? (quick ? 1 : 3),
    model: weights,
    config: catalog.folder,
    modelInfo,
    device,
    engineOptions,
    cache: settings.cache,
    scratch: join(settings.home, 'bench'),
    peersFolder: resolve(process.env.ARIL_PEERS || join(settings.home, 'peers')),
    peers: {},
    note,
  };
}
