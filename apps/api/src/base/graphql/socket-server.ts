/** WebSockets at the path of queries, held to bounds whoever is at the other end. What they say is graphql-ws's and `socket.ts`'s. */
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import type { Application, Request } from 'express';
import { CloseCode, handleProtocols, makeServer, type Server, type ServerOptions } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { refuseRest } from '../http/client-error.js';
import type { SocketExtra, SocketParams } from './socket.js';
import { SocketRoom } from './socket-room.js';

/** Of one message; ws takes 100 MiB. Nobody need be signed in to send one. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** What may wait for a client that asks and does not read: answers wait for each other, replies to its pings do not. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;
/** Who has not answered one ping by the next is gone. */
const PING_EVERY_MS = 12_000;
/** For a client to say that it is over, too; ws waits 30 s. */
const CLOSE_MS_MAX = 5_000;
/** RFC 6455's registry: "Try again later", which clients of graphql-ws do. */
const TRY_AGAIN_LATER = 1013;

/** Its requests inherit from `request`, which its types do not know. */
export type ExpressApp = Application & { request: Request };

export class SocketServer {
  private readonly logger = new Logger(SocketServer.name);
  private readonly wss: WebSocketServer;
  private readonly server: Server<SocketExtra>;
  private readonly room = new SocketRoom();

  constructor(http: HttpServer, private readonly app: ExpressApp, path: string, options: ServerOptions<SocketParams, SocketExtra>) {
    this.server = makeServer(options);
    const bounds = { maxPayload: MESSAGE_BYTES_MAX, closeTimeout: CLOSE_MS_MAX };
    this.wss = new WebSocketServer({ noServer: true, path, handleProtocols, ...bounds });
    this.wss.on('wsClientError', ({ message }, socket) => refuseRest({ status: 400, code: 'BAD_INPUT', message, headers: { 'Sec-WebSocket-Version': '13' } }, socket, false));
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.wss.handleUpgrade(request, socket, head, (opened) => this.open(opened, request));
    });
  }

  async close(): Promise<void> {
    for (const client of this.wss.clients) client.close(1001, 'Going away');
    await new Promise((resolve) => this.wss.close(resolve));
  }

  private open(socket: WebSocket, request: IncomingMessage): void {
    const address = this.addressOf(request);
    const visitor = { address, leave: (why: string) => socket.close(TRY_AGAIN_LATER, why) };
    const extra = { headers: request.headers, address, signIn: (tenantId: string) => this.room.signIn(visitor, tenantId) };
    // It closes by itself, with the code that says what was wrong.
    socket.on('error', () => undefined);
    endSilent(socket);
    endUnread(socket);
    this.room.enter(visitor);
    const closed = this.speak(socket, extra);
    socket.once('close', (code, reason) => {
      this.room.exit(visitor);
      closed(code, String(reason)).catch((error: unknown) => this.logger.error({ err: error }, 'the end of a WebSocket failed'));
    });
  }

  private speak(socket: WebSocket, extra: SocketExtra): ReturnType<Server<SocketExtra>['opened']> {
    const adapted = {
      protocol: socket.protocol,
      // Who is gone needs no reply, and is told of as the socket's end: all replies that wait for it would fail.
      send: (data: string) => new Promise<void>((resolve) => socket.send(data, () => resolve())),
      close: (code: number, reason: string) => socket.close(code, reason),
      onMessage: (take: (text: string) => Promise<void>) => void socket.on('message', (data) => void take(String(data)).catch((error: unknown) => this.fail(socket, error))),
    };
    return this.server.opened(adapted, extra);
  }

  /** Of a message that is well-formed; graphql-ws throws for the types that only servers send. */
  private fail(socket: WebSocket, error: unknown): void {
    if (error instanceof Error && /^Unexpected message of type/.test(error.message)) return socket.close(CloseCode.BadRequest, error.message);
    this.logger.error({ err: error }, 'handling a message of a WebSocket failed');
    socket.close(CloseCode.InternalServerError, 'Internal server error');
  }

  /** As Express judges it, which knows which proxies to believe, and which upgrades do not pass. */
  private addressOf({ headers, socket }: IncomingMessage): string | undefined {
    const seen = Object.create(this.app.request, { headers: { value: headers }, socket: { value: socket } }) as Request;
    return seen.ip;
  }
}

function endSilent(socket: WebSocket): void {
  let isThere = true;
  socket.on('pong', () => (isThere = true));
  const timer = setInterval(() => {
    if (!isThere) return socket.terminate();
    isThere = false;
    socket.ping();
  }, PING_EVERY_MS);
  socket.once('close', () => clearInterval(timer));
}

function endUnread(socket: WebSocket): void {
  const look = (): void => {
    if (socket.bufferedAmount > UNREAD_BYTES_MAX) socket.terminate();
  };
  socket.on('message', look).on('ping', look);
}
