/** Nest's Express server with what its options do not reach: requests, timeouts, and an end that lets answers end first. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExpressAdapter } from '@nestjs/platform-express';
import { answerClientError, answerOddities, LATE, refuseRest } from './client-error.js';
import { askWhetherThere, keepHalfClosed } from './half-closed.js';
import { requestsThatUpgradeAt } from './upgrade.js';

/** Longer than load balancers and clients keep an idle connection (60 s mostly): who closes first must not be us. */
const KEEP_ALIVE_MS = 75_000;
/** Longer than idleness, so that it never is what ends an idle connection. */
const HEADERS_MS_MAX = 80_000;
/** A file of 100 MB over a line of 1 Mbit/s takes half of it; Node's own 5 min would cut it off. */
const REQUEST_MS_MAX = 30 * 60_000;
/** For a client to send the next byte of a request, or to read the next one of an answer. */
const STILL_MS_MAX = 120_000;
const IDLE_CHECK_MS = 100;

export class HttpAdapter extends ExpressAdapter {
  private readonly sockets = new Set<Socket>();
  private readonly underWay = new Set<ServerResponse>();
  private draining = false;
  /** Called when the time for what is under way is over, to tell what goes on. */
  onDrained: () => Promise<void> = async () => {};

  /** Answers that are under way when the end begins have `drainMs` to end by themselves. */
  constructor(
    private readonly webSocketPath: string,
    private readonly drainMs: number,
  ) {
    super();
  }

  override initHttpServer(): void {
    const options = {
      IncomingMessage: requestsThatUpgradeAt(this.webSocketPath),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      // Told with a body, by `requireHost`.
      requireHostHeader: false,
    };
    const server = createServer(options);
    // Before the application, which may answer at once.
    server.on('request', (_request: IncomingMessage, response: ServerResponse) => this.watch(response));
    server.on('request', this.getInstance<(request: IncomingMessage, response: ServerResponse) => void>());
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.once('end', () => this.answersOn(socket).filter(({ writableEnded }) => !writableEnded).forEach(askWhetherThere));
    });
    keepHalfClosed(server);
    answerOddities(server);
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      answerClientError(error, socket, this.answersOn(socket).some(({ headersSent }) => headersSent));
    });
    server.timeout = STILL_MS_MAX;
    server.on('timeout', (socket) => this.endStill(socket));
    this.httpServer = server;
  }

  /**
   * The first thing that Nest calls when it ends, while all that answers a request still works: nobody new is let in, and
   * who is in gets an answer. WebSockets are not waited for: who follows a generation over one can go on elsewhere.
   */
  override async beforeClose(): Promise<void> {
    super.beforeClose();
    this.draining = true;
    (this.httpServer as Server).close();
    for (const response of this.underWay) closeAfter(response);
    for (const endAt = Date.now() + this.drainMs; this.underWay.size > 0 && Date.now() < endAt; await sleep(IDLE_CHECK_MS)) {
      this.closeIdle(this.httpServer as Server);
    }
    await this.onDrained();
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

  private watch(response: ServerResponse): void {
    this.underWay.add(response);
    response.once('close', () => this.underWay.delete(response));
    if (this.draining) closeAfter(response);
  }

  /** Nothing has come or gone for a while. That may well be because we are the ones who take their time. */
  private endStill(socket: Socket): void {
    const answers = this.answersOn(socket);
    const isAnswered = answers.some(({ headersSent }) => headersSent);
    if (answers.some(({ req }) => !req.complete)) refuseRest(LATE, socket, isAnswered);
    else if (answers.length === 0 || socket.writableLength > 0) socket.destroy();
  }

  private answersOn(socket: Socket): ServerResponse[] {
    return [...this.underWay].filter((response) => response.socket === socket);
  }

  /** Connections that were opened and never used do not count as idle for Node. */
  private closeIdle(server: Server): void {
    server.closeIdleConnections();
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}

/** Its client must not send the next request on this connection. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}
