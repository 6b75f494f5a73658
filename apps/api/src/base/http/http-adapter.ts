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
/** Requests of one connection that wait for their answers. Node reads and answers a whole packet of small ones at once. */
const PIPELINED_MAX = 16;
/** Answers of all connections that are written and not read; then those go that have most of it. */
const UNREAD_BYTES_MAX = 128 * 1024 * 1024;
const UNREAD_CHECK_MS = 1_000;
const IDLE_CHECK_MS = 100;

export class HttpAdapter extends ExpressAdapter {
  /** With the answers that are under way on each. */
  private readonly sockets = new Map<Socket, Set<ServerResponse>>();
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
    const application = this.getInstance<(request: IncomingMessage, response: ServerResponse) => void>();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.watch(response) && application(request, response));
    server.on('connection', (socket) => {
      const answers = new Set<ServerResponse>();
      this.sockets.set(socket, answers);
      socket.once('close', () => {
        this.sockets.delete(socket);
        // Node tells the one that it was writing, and none of those that wait behind it.
        process.nextTick(() => answers.forEach((response) => response.destroy().emit('close')));
      });
      socket.once('end', () => this.answersOn(socket).filter(({ writableEnded }) => !writableEnded).forEach(askWhetherThere));
    });
    setInterval(() => this.endUnread(), UNREAD_CHECK_MS).unref();
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
    this.underWay().forEach(closeAfter);
    for (const endAt = Date.now() + this.drainMs; this.underWay().length > 0 && Date.now() < endAt; await sleep(IDLE_CHECK_MS)) {
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

  /** @returns false: its client is gone or has asked for too much, and is not answered any more */
  private watch(response: ServerResponse): boolean {
    const { socket } = response.req;
    const answers = this.sockets.get(socket);
    if (!answers) return false;
    answers.add(response);
    response.once('close', () => answers.delete(response));
    if (this.draining) closeAfter(response);
    if (answers.size > PIPELINED_MAX) socket.destroy();
    return !socket.destroyed;
  }

  /** Nothing has come or gone for a while. That may well be because we are the ones who take their time. */
  private endStill(socket: Socket): void {
    const answers = this.answersOn(socket);
    const isAnswered = answers.some(({ headersSent }) => headersSent);
    if (answers.some(({ req }) => !req.complete)) refuseRest(LATE, socket, isAnswered);
    else if (answers.length === 0 || socket.writableLength > 0) socket.destroy();
  }

  private underWay(): ServerResponse[] {
    return [...this.sockets.values()].flatMap((answers) => [...answers]);
  }

  private answersOn(socket: Socket): ServerResponse[] {
    return [...(this.sockets.get(socket) ?? [])];
  }

  private endUnread(): void {
    const unread = this.underWay().map(({ req, writableLength }) => ({ socket: req.socket, bytes: writableLength }));
    let bytes = unread.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes <= UNREAD_BYTES_MAX) return;
    for (const most of unread.sort((one, other) => other.bytes - one.bytes)) {
      if (bytes <= UNREAD_BYTES_MAX) return;
      most.socket.destroy();
      bytes -= most.bytes;
    }
  }

  /** Connections that were opened and never used do not count as idle for Node. */
  private closeIdle(server: Server): void {
    server.closeIdleConnections();
    for (const socket of this.sockets.keys()) if (socket.bytesRead === 0) socket.destroy();
  }
}

/** Its client must not send the next request on this connection. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}
