/** `node dist/reset-link.js E-MAIL`: prints a link with which its owner sets a new password, for servers that send no mail. */
import 'reflect-metadata';
import { createApp } from './app.js';
import { ConfigError, loadConfig, type Config } from './base/config/config.js';
import { createLogger } from './base/logging/logger.js';
import { makeResetMail } from './core/identity/reset-link.js';

function fail(message: string): never {
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

async function main(): Promise<void> {
  const email = process.argv[2] ?? fail('Which account? node dist/reset-link.js ada@example.com');
  const config = readConfig();
  const app = await createApp(config, createLogger({ ...config, LOG_LEVEL: 'error' }));
  try {
    const mail = await makeResetMail(app, config, email);
    console.log(mail?.text ?? fail(`Nobody has the e-mail address ${email}.`));
  } finally {
    await app.close();
  }
}

await main().catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
