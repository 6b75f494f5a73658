import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { OPEN_METRICS, toOpenMetrics } from './open-metrics.js';

/**
 * `GET /metrics`, on a port and an address of its own: what it tells is the operator's, and no path of a public server may
 * lead to it. There is no password; who can reach the address can read it.
 */
export class MetricsServer {
  readonly #server: Server;

  constructor(private readonly registry: Registry) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Resolves to the port, which is a free one for 0. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    // It keeps no process alive that has nothing else to do.
    this.#server.unref();
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, type: string, body: string): void => void response.writeHead(status, { 'content-type': type }).end(body);
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET') return reply(405, 'text/plain', 'expected GET\n');
    if (path !== '/metrics') return reply(404, 'text/plain', 'expected /metrics\n');
    try {
      const text = await this.registry.metrics();
      if (!request.headers.accept?.includes('application/openmetrics-text')) return reply(200, this.registry.contentType, text);
      reply(200, OPEN_METRICS, toOpenMetrics(text));
    } catch {
      reply(500, 'text/plain', 'the metrics could not be read\n');
    }
  }
}
