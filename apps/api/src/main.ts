import 'reflect-metadata';
import { createApp } from './app.js';
import { ConfigError, loadConfig, type Config } from './base/config/config.js';
import { createLogger } from './base/logging/logger.js';

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config);
  try {
    const app = await createApp(config, logger);
    await app.listen(config.API_PORT, config.API_HOST);
    logger.info({ url: await app.getUrl() }, 'the API is listening');
  } catch (error) {
    logger.fatal({ err: error }, 'the API could not start');
    process.exit(1);
  }
}

await main();
