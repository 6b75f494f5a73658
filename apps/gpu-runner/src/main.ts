import { addProcessMetrics, MetricsServer, Registry } from '@aril/metrics';
import { parseConfig, type Config } from './config.js';
import { NativeEngine } from './engine/native-engine.js';
import { HealthServer } from './health/health-server.js';
import { createLogger, type Logger } from './logging.js';
import { addEngineMetrics } from './metrics/engine-metrics.js';
import { RunnerMetrics } from './metrics/runner-metrics.js';
import { Runner } from './runner.js';

const SAME_SIGNAL_MS = 1000;

/**
 * The runner process: configuration, health server, engine, runner, in this order, so that orchestrators see a live
 * process while the weights load. SIGTERM and SIGINT drain; a second signal leaves at once, which loses nothing
 * either: the locks of its jobs expire and another runner goes on.
 */
async function main(): Promise<void> {
  const config = parseConfig(process.env);
  const logger = createLogger(config);
  let runner: Runner | null = null;
  let stopping: Promise<void> | null = null;
  let stoppingSinceMs = 0;

  const stop = (exitCode: number): void => {
    if (stopping) process.exit(1);
    stoppingSinceMs = Date.now();
    stopping = (runner?.stop() ?? Promise.resolve()).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A terminal and a supervisor may both pass on the same Ctrl-C; that is one wish, not two.
      if (stopping && Date.now() - stoppingSinceMs < SAME_SIGNAL_MS) return;
      logger.info({ signal }, stopping ? 'leaving at once' : 'draining');
      stop(0);
    });
  }

  if (config.HEALTH_PORT !== 0) {
    const checks = async (): Promise<Record<string, boolean>> => ({
      engine: runner !== null,
      ...(runner ? await runner.checks() : {}),
    });
    await new HealthServer(checks).listen(config.HEALTH_HOST, config.HEALTH_PORT);
  }
  const metrics = await serveMetrics(config, logger);
  logger.info({ baseModelId: config.BASE_MODEL_ID }, 'loading the model');
  const engine = await NativeEngine.start(config);
  if (engine.deviceNote) logger.warn(engine.deviceNote);
  if (engine.toolsNote) logger.warn({ reason: engine.toolsNote }, "the model's chat template does not run for all tools: where it fails, they are told in words");
  if (stopping) return;
  addEngineMetrics(metrics.registry, engine);
  runner = await Runner.start(config, engine, logger, metrics, () => {
    logger.fatal('the engine ended by itself');
    if (!stopping) stop(1);
  });
  logger.info({ baseModelId: config.BASE_MODEL_ID, device: engine.load().device }, 'ready');
}

/** Before the model is loaded, so that a scraper sees a live process meanwhile. */
async function serveMetrics({ BASE_MODEL_ID, RUNNER_ID, METRICS_HOST, METRICS_PORT }: Config, logger: Logger): Promise<RunnerMetrics> {
  const registry = new Registry();
  registry.setDefaultLabels({ base_model: BASE_MODEL_ID });
  const metrics = new RunnerMetrics(registry, RUNNER_ID);
  if (METRICS_PORT === 0) return metrics;
  addProcessMetrics(registry);
  await new MetricsServer(registry).listen(METRICS_HOST, METRICS_PORT);
  logger.info({ host: METRICS_HOST, port: METRICS_PORT }, 'metrics are served');
  return metrics;
}

main().catch((error: unknown) => {
  // Before a logger exists, and for what no part foresaw.
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
