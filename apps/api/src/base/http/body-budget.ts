/**
 * How much of request bodies this process holds at once. A body is read before anybody knows who sends it, and is there
 * until it is answered: without a bound, some hundred that are large and slow take all memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ArilError } from '@aril/contracts';
import type { NextFunction } from 'express';
import { answerClientError } from './client-error.js';

/** Those are not counted, so that most requests are let in whatever the others do. */
const SMALL_BYTES = 64 * 1024;
/** For a whole body to come: 8 MB over a line of half a Mbit/s. */
const BODY_MS_MAX = 120_000;

interface Held {
  bytes: number;
  timer: NodeJS.Timeout;
}

export class BodyBudget {
  private readonly bodies = new Map<IncomingMessage, Held>();
  private bytes = 0;

  /** `bodyBytesMax`: of one body, what is longer is refused by its parser and not kept. */
  constructor(
    private readonly bytesMax: number,
    private readonly bodyBytesMax: number,
    private readonly isParsed: (request: IncomingMessage) => boolean,
  ) {}

  /** Before the parser. */
  readonly admit = (request: IncomingMessage, response: ServerResponse, next: NextFunction): void => {
    const bytes = this.isParsed(request) ? this.announced(request) : 0;
    if (bytes <= SMALL_BYTES || bytes > this.bodyBytesMax) return next();
    if (this.bytes + bytes > this.bytesMax) return next(new ArilError('OVERLOADED', 'Too many large requests are being read at the moment. Try again later.'));
    const timer = setTimeout(() => answerClientError({ name: 'Error', message: '', code: 'ERR_HTTP_REQUEST_TIMEOUT' }, request.socket, response.headersSent), BODY_MS_MAX).unref();
    this.bodies.set(request, { bytes, timer });
    this.bytes += bytes;
    response.once('close', () => {
      this.settle(request, 0);
      this.bodies.delete(request);
    });
    next();
  };

  /** The parser's `verify`: the body has come, and is so long. */
  readonly noteRead = (request: IncomingMessage, _response: ServerResponse, body: Buffer): void => this.settle(request, body.length);

  /** The most it can be: a length is not announced by all, and not the one after decompression. */
  private announced({ headers }: IncomingMessage): number {
    if (headers['transfer-encoding'] !== undefined || !/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return this.bodyBytesMax;
    return Number(headers['content-length'] ?? 0);
  }

  private settle(request: IncomingMessage, bytes: number): void {
    const held = this.bodies.get(request);
    if (!held) return;
    clearTimeout(held.timer);
    this.bytes += bytes - held.bytes;
    held.bytes = bytes;
  }
}
