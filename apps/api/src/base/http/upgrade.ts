/**
 * What Node does about `Upgrade` headers, put right. Subscriptions listen for upgrades, and then Node hands every
 * request that offers one to that listener, which answers WebSockets of its own path only: `curl --http2` and Java's
 * HTTP client, which offer HTTP/2 with every first request, would wait for ever. A server may ignore an offer (RFC
 * 9110, 7.8), so only handshakes of the one WebSocket path count as upgrades here.
 */
import { IncomingMessage } from 'node:http';

/** As in Node 24, which has a callback for this: bytes pipelined in one packet behind an ignored offer are dropped. */
const OFFERED = Symbol('the request offers an upgrade');

export function isWebSocketHandshake({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && /\bupgrade\b/i.test(headers.connection ?? '');
}

/**
 * The class of a server's requests. Node writes `upgrade` when it has parsed a request's head, and reads it, with the
 * headers in place, to tell an upgrade from a request to answer.
 */
export function requestsThatUpgradeAt(webSocketPath: string): typeof IncomingMessage {
  return class extends IncomingMessage {
    // Only declared: `IncomingMessage`'s constructor has already written it when a field would be initialized.
    declare [OFFERED]: boolean;

    get upgrade(): boolean {
      if (!this[OFFERED] || this.method === 'CONNECT') return this[OFFERED];
      return isWebSocketHandshake(this) && this.url?.split('?', 1)[0] === webSocketPath;
    }

    set upgrade(offered: boolean | null) {
      this[OFFERED] = offered === true;
    }
  };
}
