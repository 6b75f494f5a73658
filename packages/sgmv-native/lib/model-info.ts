import { native, translatedAsync } from './native.js';
import type { ModelInfo } from './types.js';

/** Shape of the model in `source` (a `config.json`, a model folder or a `.gguf` file); `weightBytes` is 0. */
export function readModelInfo(source: string): Promise<ModelInfo> {
  return translatedAsync(() => native().modelInfo(source));
}
