/** Where the tests' files are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../lib/cli/model-source.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const packageFolder = here('..');
export const goldenFolder = (family: string): string => here(`golden/${family}`);
export const stories = here('fixtures/stories260k');
export const storiesAdapter = (name: 'a' | 'b'): string => join(stories, 'adapters', name);
export const exampleAdapter = (name: string): string => here(`../../../examples/adapters/${name}`);
export const smollm2Folder = here('../../../models/smollm2-135m-instruct');

export const smollm2Weights =
  process.env.MODEL_PATH ||
  process.env.ARIL_MODEL_WEIGHTS ||
  join(cacheFolder(), 'models', 'SmolLM2-135M-Instruct.Q4_1.gguf');
export const hasSmollm2 = existsSync(smollm2Weights);
if (!hasSmollm2) console.warn(`SmolLM2's weights are not at ${smollm2Weights}: its tests are skipped.`);
