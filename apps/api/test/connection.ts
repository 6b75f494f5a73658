import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export function head(method: string, path: string, headers: string[] = []): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: api.example.test', ...headers, '', ''].join('\r\n');
}
export function json(body: string): string[] {
  return ['Content-Type: application/json', `Content-Length: ${body.length}`];
}
export function split(text: string): string[] {
  return [text.slice(0, 10), text.slice(10, -1), text.slice(-1)];
}
export function chunks(text: string): string[] {
  return [...split(text).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`), '0\r\n\r\n'];
}

/** Bytes to and from the server: what is sent in which packet matters here. */
export class Connection {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  received = '';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('utf8').on('data', (text) => (this.received += String(text)));
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
  }

  /** All that has come, once nothing more can. */
  async rest(): Promise<string> {
    await this.closed;
    return this.received;
  }

  async send(packets: string[]): Promise<void> {
    for (const packet of packets) {
      this.socket.write(packet);
      await sleep(10);
    }
  }

  /** The next answer that says its length, whole. */
  async answer(): Promise<string> {
    const giveUpAt = Date.now() + 5_000;
    for (;;) {
      const [, start] = /^([\s\S]*?\r\n\r\n)/.exec(this.received) ?? [];
      const end = (start?.length ?? 0) + Number(/content-length: (\d+)/i.exec(start ?? '')?.[1] ?? 0);
      if (start && this.received.length >= end) {
        const answer = this.received.slice(0, end);
        this.received = this.received.slice(end);
        return answer;
      }
      if (Date.now() > giveUpAt) throw new Error(`no answer but ${JSON.stringify(this.received)}`);
      await sleep(5);
    }
  }
}
