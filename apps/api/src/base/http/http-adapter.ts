/** Nest's Express server with what its options do not reach: requests, timeouts, and an end that comes soon. */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import { requestsThatUpgradeAt } from './upgrade.js';

/** Longer than load balancers and clients keep an idle connection (60 s mostly): who closes first must not be us. */
const KEEP_ALIVE_MS = 75_000;
/** Longer than idleness, so that it never is what ends an idle connection. */
const HEADERS_MS_MAX = 80_000;
const IDLE_CHECK_MS = 100;

export class HttpAdapter extends ExpressAdapter {
  private readonly sockets = new Set<Socket>();

  constructor(private readonly webSocketPath: string) {
    super();
  }

  override initHttpServer(): void {
    const options = {
      IncomingMessage: requestsThatUpgradeAt(this.webSocketPath),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS_MAX,
    };
    const server = createServer(options, this.getInstance());
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    this.httpServer = server;
  }

  /** Node closes once what is idle at that moment; an answer under way would leave its connection idle, and us waiting. */
  override async close(): Promise<unknown> {
    const server = this.httpServer as Server;
    const timer = setInterval(() => this.closeIdle(server), IDLE_CHECK_MS);
    try {
      const closed = super.close();
      this.closeIdle(server);
      return await closed;
    } finally {
      clearInterval(timer);
    }
  }

  /** Connections that were opened and never used do not count as idle for Node. */
  private closeIdle(server: Server): void {
    server.closeIdleConnections();
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
