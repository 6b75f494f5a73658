/**
 * What the API and the runners agree on. Nothing here talks to a service: names, shapes and meanings only.
 */
export * from './errors.js';
export * from './queues.js';
export * from './text.js';
export * from './sampling.js';
export * from './constraint.js';
export * from './generation-job.js';
export * from './token-count.js';
export * from './generation-stream.js';
export * from './transcript.js';
export * from './settlement.js';
export * from './trace.js';
