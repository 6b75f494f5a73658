import type { Redis } from 'ioredis';
import type { AdapterResidency } from '../adapters/adapter-residency.js';
import type { Admission } from '../engine/admission.js';
import type { InferenceEngine } from '../engine/inference-engine.js';
import type { Logger } from '../logging.js';
import type { RunnerMetrics } from '../metrics/runner-metrics.js';
import type { SettlementReporter } from './settlement-reporter.js';
import type { StreamWriter } from './stream-writer.js';

/** What a generation works with; one set per runner. */
export interface GenerationServices {
  runnerId: string;
  baseModelId: string;
  redis: Redis;
  engine: InferenceEngine;
  adapters: AdapterResidency;
  admission: Admission;
  /** Called when a generation is let into the engine. */
  onAdmitted: (turn: number) => void;
  writer: StreamWriter;
  settlements: SettlementReporter;
  /** The engine ended by itself: this runner cannot work any more. */
  onEngineGone: () => void;
  metrics: RunnerMetrics;
  logger: Logger;
}
