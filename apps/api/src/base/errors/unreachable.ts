/**
 * Whether an error says that Postgres (or whatever else the API stands on) is away: restarting, failing over, cut off.
 * The same call can succeed when it is back, so this is OVERLOADED and no fault of ours to report.
 *
 * Prisma's adapter for `pg` gives one outage many faces: a `P…` code of Prisma's; a driver error whose cause has Postgres'
 * own code or a `kind`, below P2010 or P2039 ("a query failed"); or `pg`'s plain `Error`, which only its text tells.
 */
const CODES = new Set([
  // Prisma: unreachable, timed out, closed; no connection free in the pool, none free in Postgres.
  'P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037',
  // Postgres: connection exceptions; shutting down, crashed, starting up; too many connections; no disk, no memory left;
  // a statement, or a pause within a transaction, that took too long.
  '08000', '08001', '08003', '08004', '08006', '57P01', '57P02', '57P03', '53300', '53100', '53200', '57014', '25P03',
  // Sockets and names.
  'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
]);
const KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections']);
const TEXTS = [
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /^timeout exceeded when trying to connect/,
  // P2028 has many meanings. Of a Postgres that is silent it is both that, and that a transaction's time is over.
  /Unable to start a transaction in the given time/,
  /cannot be executed on an expired transaction/,
  // ioredis.
  /^Command timed out$/,
  // Redis: no memory or no disk left, starting up, failing over, held up by a script.
  /^(OOM|MISCONF|LOADING|READONLY|MASTERDOWN|NOREPLICAS|BUSY) /,
];

/** Errors wrap each other; a cycle among them must not keep us here. */
const DEPTH_MAX = 6;

export function isUnreachable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth === DEPTH_MAX) return false;
  const { code, kind, name, $fault, message, cause, meta } = error as Record<string, unknown> & { meta?: { driverAdapterError?: unknown } };
  if (typeof code === 'string' && CODES.has(code)) return true;
  if (typeof kind === 'string' && KINDS.has(kind)) return true;
  // The AWS SDK's, of a store that is silent, or is busy or broken for longer than it retries.
  if (name === 'TimeoutError' || $fault === 'server') return true;
  if (typeof message === 'string' && TEXTS.some((text) => text.test(message))) return true;
  return isUnreachable(cause, depth + 1) || isUnreachable(meta?.driverAdapterError, depth + 1);
}
