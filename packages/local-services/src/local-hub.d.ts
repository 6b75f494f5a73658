import type { IncomingMessage, ServerResponse } from 'node:http';

export interface LocalRepository {
  /** By commit, then by path. */
  files: Record<string, Record<string, Buffer>>;
  revisions: Record<string, string>;
  private?: boolean;
  gated?: boolean;
}

export interface HubRequest {
  server: 'hub' | 'files';
  path: string;
  authorization: string | null;
  range: string | null;
}

export type Intercept = (request: IncomingMessage, response: ServerResponse, server: 'hub' | 'files', send: () => void) => boolean;

/** See local-hub.mjs. */
export class LocalHub {
  static start(): Promise<LocalHub>;
  readonly url: string;
  readonly filesUrl: string;
  readonly repositories: Map<string, LocalRepository>;
  requests: HubRequest[];
  intercept: Intercept;
  token: string;
  put(name: string, files: Record<string, Buffer>, options?: { revision?: string; private?: boolean; gated?: boolean }): string;
  redirect(response: ServerResponse, bytes: Buffer, location: string): void;
  stop(): Promise<void>;
}
