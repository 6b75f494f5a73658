import { pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from './config.js';

export type { Logger };

/**
 * Log lines carry `generationId` and `tenantId` and never what tenants said or got: no job data, no prompt, no text.
 * The redaction is a second line of defence for whoever logs an object with one of these fields by mistake.
 */
export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY' | 'RUNNER_ID'>): Logger {
  const secret = ['prompt', 'messages', 'text', 'tokens', 'input', 'data', 'stop', 'content'];
  const options = {
    level: config.LOG_LEVEL,
    base: { runnerId: config.RUNNER_ID },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: [...secret, ...secret.map((name) => `*.${name}`)], remove: true },
  };
  return config.LOG_PRETTY ? pino(options, linesForPeople) : pino(options);
}

/** `12:00:00.000 warn  generation failed generationId=… code=…` */
const linesForPeople: DestinationStream = {
  write(json: string): void {
    const { level, time, msg, runnerId: _own, ...fields } = JSON.parse(json) as Record<string, unknown> & { level: number };
    const label = (pino.levels.labels[level] ?? String(level)).padEnd(5);
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    process.stdout.write(`${String(time).slice(11, 23)} ${label} ${[msg, ...rest].join(' ')}\n`);
  },
};
