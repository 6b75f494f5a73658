/** `node dist/seed.js`: makes the demo tenants, through the same services as everyone's. See `DemoSeeder`. */
import 'reflect-metadata';
import { createApp } from './app.js';
import { ConfigError, loadConfig, type Config } from './base/config/config.js';
import { loadSeedConfig, type SeedConfig } from './base/config/seed-config.js';
import { createLogger } from './base/logging/logger.js';
import { DemoSeeder } from './core/demo/demo-seeder.js';

function readConfigs(): { config: Config; seed: SeedConfig } {
  try {
    return { config: loadConfig(), seed: loadSeedConfig() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

async function main(): Promise<void> {
  const { config, seed } = readConfigs();
  const logger = createLogger(config);
  const app = await createApp(config, logger);
  try {
    await app.init();
    const { tenants } = await app.get(DemoSeeder).seed(seed);
    for (const { name, adapters } of tenants) logger.info(`${name}: ${adapters.join(', ')}`);
  } finally {
    await app.close();
  }
}

await main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
