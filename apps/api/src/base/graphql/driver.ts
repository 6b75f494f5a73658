/** Apollo's driver, with bounds for WebSockets that Nest does not let one set. */
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Injectable } from '@nestjs/common';
import type { WebSocket, WebSocketServer } from 'ws';

/** Of one message; ws takes 100 MiB. Nobody need be signed in to send one. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** What may wait for a client that asks and does not read: answers wait for each other, replies to its pings do not. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;

@Injectable()
export class GraphqlDriver extends ApolloDriver {
  override async start(options: ApolloDriverConfig): Promise<void> {
    await super.start(options);
    const { wss } = (this as unknown as { _subscriptionService: { wss: WebSocketServer } })._subscriptionService;
    wss.options.maxPayload = MESSAGE_BYTES_MAX;
    wss.on('connection', endUnread);
  }
}

function endUnread(socket: WebSocket): void {
  const look = (): void => {
    if (socket.bufferedAmount > UNREAD_BYTES_MAX) socket.terminate();
  };
  socket.on('message', look).on('ping', look);
}
