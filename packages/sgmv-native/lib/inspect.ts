/**
 * Checking adapters without an engine. The API imports only this entry point of the package.
 */
import type { AdapterReport } from './adapter-report.js';
import { checkPath } from './check.js';
import { native, translatedAsync } from './native.js';

export type { AdapterProblem, AdapterReport, AdapterSummary } from './adapter-report.js';

/**
 * Checks `adapter_config.json` and `adapter_model.safetensors` in `folder` against the base model described by
 * `modelConfig` (a `config.json`, a model folder or a `.gguf` file) without loading the model. Runs off the main
 * thread. Rejects with EngineError only when `folder` or `modelConfig` cannot be read; bad content is in the report.
 */
export async function inspectAdapter(folder: string, modelConfig: string): Promise<AdapterReport> {
  checkPath(folder, 'folder');
  checkPath(modelConfig, 'modelConfig');
  return translatedAsync(() => native().inspectAdapter(folder, modelConfig));
}
