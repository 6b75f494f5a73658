/** What the API and the runner count and measure with; which metrics there are is in docs/metrics.md. */
export { Counter, Gauge, Histogram, Registry } from 'prom-client';
export * from './buckets.js';
export * from './disk-metrics.js';
export * from './kept-elsewhere.js';
export * from './metrics-server.js';
export * from './process-metrics.js';
