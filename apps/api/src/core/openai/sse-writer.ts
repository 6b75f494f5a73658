/** Server-sent events on an Express response: headers that keep proxies from buffering, comments that keep it alive. */
import type { Response } from 'express';

/** Below the idle timeout of the usual proxies (60 s). */
const KEEP_ALIVE_MS = 15_000;

export class SseWriter {
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly response: Response) {
    response.status(200);
    response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
    response.setHeader('Cache-Control', 'no-cache, no-transform');
    response.setHeader('X-Accel-Buffering', 'no');
    response.flushHeaders();
    // A comment line: clients skip it.
    this.timer = setInterval(() => this.keepAlive(), KEEP_ALIVE_MS);
  }

  /** null writes nothing. */
  data(value: object | null): void {
    if (value) this.write(`data: ${JSON.stringify(value)}\n\n`);
  }

  event(name: string, value: object): void {
    this.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  /** The last thing sent: OpenAI's clients throw what is in it. */
  error(body: object): void {
    this.event('error', body);
    this.close();
  }

  /** OpenAI's marker of the stream's end. */
  done(): void {
    this.write('data: [DONE]\n\n');
    this.close();
  }

  close(): void {
    clearInterval(this.timer);
    if (!this.response.writableEnded) this.response.end();
  }

  /** Not for a client that has not even read what there is. */
  private keepAlive(): void {
    if (!this.response.writableNeedDrain) this.write(': waiting\n\n');
  }

  private write(text: string): void {
    if (!this.response.writableEnded && !this.response.destroyed) this.response.write(text);
  }
}
