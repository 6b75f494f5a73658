export { createEngine } from './create-engine.js';
export { EngineError } from './engine-error.js';
export { inspectAdapter } from './inspect.js';
export { readModelShape } from './model-shape.js';
export { cpuInfo, sgmvExpand, sgmvShrink, type OpsOptions } from './ops.js';
export { ModelTokenizer, type ChatMessage } from './tokenizer.js';
export type * from './types.js';
export type { AdapterSummary } from './adapter-report.js';
