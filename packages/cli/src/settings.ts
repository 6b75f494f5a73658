/** What the command takes from its environment; the only file that looks there. */
import { z } from 'zod';
import { ApiClient } from './api-client.js';
import { CliError, EXIT } from './cli-error.js';

const settingsSchema = z.object({
  ARIL_URL: z.url({ protocol: /^https?$/, error: 'expected the address of the API, as https://api.example' }),
  ARIL_API_KEY: z.string('expected an API key, as the portal makes them').regex(/^[\x21-\x7e]+$/, 'expected an API key, as the portal makes them'),
});

/** @throws CliError naming the variable at fault */
export function connect(environment: NodeJS.ProcessEnv = process.env): ApiClient {
  const found = settingsSchema.safeParse(environment);
  if (!found.success) {
    throw new CliError(found.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '), EXIT.usage);
  }
  return new ApiClient(found.data.ARIL_URL.replace(/\/+$/, ''), found.data.ARIL_API_KEY);
}

/**
 * A hub's token by the name of its variable: arguments are seen by whoever lists a machine's processes, and kept in shells'
 * histories.
 * @throws CliError when there is nothing in it
 */
export function tokenIn(variable: string, environment: NodeJS.ProcessEnv = process.env): string {
  const token = environment[variable]?.trim();
  if (!token) throw new CliError(`--token-from: found nothing in ${variable}, expected a token of the hub`, EXIT.usage);
  return token;
}
