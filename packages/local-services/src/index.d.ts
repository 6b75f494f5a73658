/** A server this package started, or any other child process; see the sources for what each promises. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly log: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(): Promise<void>;
}

/** `durable: false` trades safety against power loss for speed: for tests. */
export function startPostgres(options: {
  dir: string;
  port?: number;
  log?: string;
  database?: string;
  durable?: boolean;
}): Promise<Server>;

export function startRedis(options: {
  dir: string;
  port?: number;
  log?: string;
  cacheDir?: string;
  durable?: boolean;
}): Promise<Server & { readonly version: string }>;

/** Throws when no Redis answers there. */
export function pingRedis(url: string): Promise<void>;

/** Creates the database if needed, then `prisma migrate deploy`; `applied` is false when nothing was missing. */
export function migrate(options: { ownerUrl: string; root?: string }): Promise<{ applied: boolean }>;
/** The environment any `prisma` command needs (the WebAssembly schema engine, no update checks). */
export function prismaEnvironment(ownerUrl?: string): NodeJS.ProcessEnv;
export const SCHEMA_ENGINE: string;

export const APP_ROLE: 'aril_app';
export function ensureAppRole(ownerUrl: string): Promise<void>;
/** Lets `aril_app` log in and use the tables; returns the URL the API connects with. Run it after `migrate`. */
export function createAppRole(options: { ownerUrl: string; password: string }): Promise<string>;

/** A copy of the (migrated, unused) database that `ownerUrl` names; `url` is the owner's. */
export function freshDatabase(
  ownerUrl: string,
): Promise<{ name: string; url: string; drop(): Promise<unknown> }>;
/** The same server and account, another database: `onDatabase(appUrl, fresh.name)`. */
export function onDatabase(url: string, name: string): string;
export function databaseName(url: string): string;
export function ensureDatabase(url: string): Promise<void>;
export function withClient<T>(url: string, work: (client: import('pg').Client) => Promise<T>): Promise<T>;

export function freePort(host?: string): Promise<number>;
export function isPortFree(port: number, host?: string): Promise<boolean>;

export interface ProcessOptions {
  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  log: string;
  pidFile?: string;
  stopSignal?: NodeJS.Signals;
  graceMs?: number;
}
export function startProcess(options: ProcessOptions): {
  readonly pid: number | undefined;
  readonly log: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(): Promise<void>;
  isRunning(): boolean;
};
export function stopLeftover(pidFile: string, signal?: NodeJS.Signals, graceMs?: number): Promise<void>;
export function logTail(log: string, lines?: number): string;
