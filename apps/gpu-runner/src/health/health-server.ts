import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `/health`: the process answers. `/ready`: it can take work now, with what is missing if it cannot. */
export class HealthServer {
  readonly #server: Server;

  constructor(checks: () => Promise<Record<string, boolean>>) {
    this.#server = createServer((request, response) => {
      const reply = (status: number, body: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      const path = request.url?.split('?', 1)[0];
      if (request.method !== 'GET') return reply(405, { error: 'expected GET' });
      if (path === '/health') return reply(200, { status: 'ok' });
      if (path !== '/ready') return reply(404, { error: 'expected /health or /ready' });
      void checks().then(
        (results) => reply(Object.values(results).every(Boolean) ? 200 : 503, results),
        () => reply(503, { error: 'the checks failed' }),
      );
    });
  }

  /** Resolves to the port, which is a free one for 0. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
