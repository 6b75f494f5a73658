import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig } from '../../src/config.js';
import { Registry } from '@aril/metrics';
import { createLogger } from '../../src/logging.js';
import { RunnerMetrics } from '../../src/metrics/runner-metrics.js';
import { Runner } from '../../src/runner.js';
import { ScriptedEngine } from './scripted-engine.js';

/** A runner process around the scripted engine, to be killed, stopped and drained. STEP_MS sets its pace, LOAD_MS that of its loads. */
const config = parseConfig(process.env);
const logger = createLogger(config);
const engine = new ScriptedEngine();
engine.stepMs = Number(process.env['STEP_MS'] ?? 20);
const load = engine.loadAdapter.bind(engine);
engine.loadAdapter = async (...adapter) => {
  await delay(Number(process.env['LOAD_MS'] ?? 0));
  return load(...adapter);
};
const runner = await Runner.start(config, engine, logger, new RunnerMetrics(new Registry(), config.RUNNER_ID), () => process.exit(1));
process.on('SIGTERM', () => void runner.stop().then(() => process.exit(0)));
logger.info('ready');
