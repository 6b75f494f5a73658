import type { AdapterReport } from './adapter-report.js';

export type { AdapterProblem, AdapterReport, AdapterSummary } from './adapter-report.js';

/**
 * Checks `adapter_config.json` and `adapter_model.safetensors` in `folder` against the base model described by
 * `modelConfig` (a `config.json`, a model folder or a `.gguf` file) without loading the model. Runs off the main
 * thread. Rejects only when `folder` or `modelConfig` cannot be read; bad content is in the report.
 */
export declare function inspectAdapter(folder: string, modelConfig: string): Promise<AdapterReport>;
