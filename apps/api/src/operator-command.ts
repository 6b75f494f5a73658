/** What the commands for whoever runs the server have in common: one account, found by its e-mail address. */
import 'reflect-metadata';
import type { INestApplicationContext } from '@nestjs/common';
import { createApp } from './app.js';
import { ConfigError, loadConfig, type Config } from './base/config/config.js';
import { createLogger } from './base/logging/logger.js';

export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return fail(error.message);
  }
}

/** Prints what `work` answers for the address on the command line; null: nobody has it. */
export async function runForAccount(command: string, work: (app: INestApplicationContext, config: Config, email: string) => Promise<string | null>): Promise<void> {
  const email = process.argv[2] ?? fail(`Which account? node dist/${command}.js ada@example.com`);
  try {
    const config = readConfig();
    const app = await createApp(config, createLogger({ ...config, LOG_LEVEL: 'error' }));
    try {
      console.log((await work(app, config, email)) ?? fail(`Nobody has the e-mail address ${email}.`));
    } finally {
      await app.close();
    }
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}
