import { pino, type Logger } from 'pino';
import type { Config } from './config.js';

export type { Logger };

/**
 * Log lines carry `generationId` and `tenantId` and never what tenants said or got: no job data, no prompt, no text.
 * The redaction is a second line of defence for whoever logs an object with one of these fields by mistake.
 */
export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY' | 'RUNNER_ID'>): Logger {
  const secret = ['prompt', 'messages', 'text', 'tokens', 'input', 'data', 'stop', 'content'];
  return pino({
    level: config.LOG_LEVEL,
    base: { runnerId: config.RUNNER_ID },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: [...secret, ...secret.map((name) => `*.${name}`)], remove: true },
    ...(config.LOG_PRETTY ? { formatters: { level: (label: string) => ({ level: label }) } } : {}),
  });
}
