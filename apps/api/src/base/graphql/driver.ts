/** Apollo's driver, with WebSockets of our own: Nest's let one set no bounds, and write to the console what clients do wrong. */
import type { Server } from 'node:http';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Injectable } from '@nestjs/common';
import { socketOptions } from './socket.js';
import { type ExpressApp, SocketServer } from './socket-server.js';

@Injectable()
export class GraphqlDriver extends ApolloDriver {
  private sockets: SocketServer | null = null;

  override async start(options: ApolloDriverConfig): Promise<void> {
    await super.start(options);
    const { httpAdapter } = this.httpAdapterHost;
    const server = httpAdapter.getHttpServer() as Server;
    this.sockets = new SocketServer(server, httpAdapter.getInstance<ExpressApp>(), options.path!, socketOptions(options.schema!));
  }

  override async stop(): Promise<void> {
    await this.sockets?.close();
    await super.stop();
  }
}
