import 'reflect-metadata';
import type { Logger } from 'pino';
import { createApp } from './app.js';
import { ConfigError, loadConfig, type Config } from './base/config/config.js';
import { createLogger } from './base/logging/logger.js';
import { serveMetrics } from './base/metrics/serve-metrics.js';

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** After answers have had their time to end; longer than Apollo waits for what is left. Whatever hangs then, on a service that is gone, ends. */
const SHUTDOWN_MS_MAX = 15_000;

function endInTime(logger: Logger, drainMs: number): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      logger.info({ signal }, 'the API is shutting down');
      setTimeout(() => {
        logger.error('the API did not shut down in time');
        process.exit(1);
      }, drainMs + SHUTDOWN_MS_MAX).unref();
    });
  }
}

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config);
  endInTime(logger, config.DRAIN_TIMEOUT_S * 1_000);
  try {
    const app = await createApp(config, logger);
    await serveMetrics(app, config, logger);
    await app.listen(config.API_PORT, config.API_HOST);
    logger.info({ url: await app.getUrl() }, 'the API is listening');
  } catch (error) {
    logger.fatal({ err: error }, 'the API could not start');
    process.exit(1);
  }
}

await main();
