import { checkPath } from './check.js';
import { native, translatedAsync } from './native.js';
import type { ModelShape } from './types.js';

/** Shape of the model in `source`: a `config.json`, a model folder or a `.gguf` file. The weights are not read. */
export async function readModelShape(source: string): Promise<ModelShape> {
  checkPath(source, 'source');
  return translatedAsync(() => native().modelInfo(source));
}
