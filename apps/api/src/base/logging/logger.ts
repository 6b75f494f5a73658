import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import type { Config } from '../config/config.js';
import { currentTraceFields } from './trace.js';

/**
 * Never logged: bodies (prompts, outputs, passwords), and headers that are credentials. Whole headers and bodies
 * are not given to the logger in the first place (see `httpLogger`); the paths here are the second line.
 */
const SECRETS = ['req.headers', 'res.headers', '*.password', '*.secret', '*.authorization', '*.cookie', '*.text', '*.messages', '*.prompt'];

export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'LOG_PRETTY'>): Logger {
  const transport = config.LOG_PRETTY ? prettyTransport() : undefined;
  return pino({ name: 'api', level: config.LOG_LEVEL, redact: { paths: SECRETS, remove: true } }, ...(transport ? [transport] : []));
}

/** One line per entry for people, without a dependency: time, level, message, request id. */
function prettyTransport(): { write(line: string): void } {
  return {
    write(line) {
      const { time, level, msg, context, requestId, err } = JSON.parse(line) as Record<string, unknown> & { err?: { stack?: string } };
      const label = pino.levels.labels[Number(level)] ?? String(level);
      const tail = [context && `(${String(context)})`, requestId && `[${String(requestId)}]`].filter(Boolean).join(' ');
      process.stdout.write(`${new Date(Number(time)).toISOString().slice(11, 23)} ${label.padEnd(5)} ${String(msg)} ${tail}\n`);
      if (err?.stack) process.stdout.write(`${err.stack}\n`);
    },
  };
}

/**
 * Nest's logger interface over pino: Nest passes the context last; an object before it becomes fields. Lines that a request
 * causes say which one.
 */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log = (message: unknown, ...rest: unknown[]): void => this.write('info', message, rest);
  error = (message: unknown, ...rest: unknown[]): void => this.write('error', message, rest);
  warn = (message: unknown, ...rest: unknown[]): void => this.write('warn', message, rest);
  debug = (message: unknown, ...rest: unknown[]): void => this.write('debug', message, rest);
  verbose = (message: unknown, ...rest: unknown[]): void => this.write('trace', message, rest);
  fatal = (message: unknown, ...rest: unknown[]): void => this.write('fatal', message, rest);

  private write(level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const trace = currentTraceFields();
    if (message instanceof Error) return this.logger[level]({ context, ...trace, err: message }, message.message);
    if (typeof message !== 'object' || message === null) {
      const stack = level === 'error' && rest.length > 1 ? rest[0] : undefined;
      return this.logger[level]({ context, ...trace, stack }, String(message));
    }
    // `logger.error({ err, requestId }, 'what happened')`: the text is the first of the rest.
    const text = rest.length > 1 ? String(rest[0]) : '';
    this.logger[level]({ context, ...trace, ...message }, text);
  }
}
