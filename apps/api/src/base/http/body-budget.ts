/**
 * How much of request bodies this process holds at once. A body is read before anybody knows who sends it, and is there
 * until it is answered: without a bound, some hundred that are large and slow take all memory.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ArilError } from '@aril/contracts';
import type { NextFunction } from 'express';
import { LATE, refuseRest } from './client-error.js';

/** Those are not counted, so that most requests are let in whatever the others do. */
const SMALL_BYTES = 64 * 1024;
/** For a whole body to come: 8 MB over a line of half a Mbit/s. */
const BODY_MS_MAX = 120_000;
const TOO_MANY = 'Too many large requests are being read at the moment. Try again later.';

interface Held {
  bytes: number;
  late: NodeJS.Timeout;
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

  /** Before the parser, and at once before it: what comes meanwhile would be lost to it. */
  readonly admit = (request: IncomingMessage, response: ServerResponse, next: NextFunction): void => {
    const bytes = this.isParsed(request) ? this.announced(request) : 0;
    if (bytes === null) return this.countChunks(request, response, next);
    if (bytes <= SMALL_BYTES || bytes > this.bodyBytesMax) return next();
    if (this.bytes + bytes > this.bytesMax) return next(new ArilError('OVERLOADED', TOO_MANY));
    this.hold(request, response);
    this.settle(request, bytes);
    next();
  };

  /** The parser's `verify`: the body has come, and is so long. */
  readonly noteRead = (request: IncomingMessage, _response: ServerResponse, body: Buffer): void => this.end(request, body.length > SMALL_BYTES ? body.length : 0);

  /** The most it can be, as its length after decompression is not announced. null: that comes in chunks, of any length. */
  private announced({ headers }: IncomingMessage): number | null {
    if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return this.bodyBytesMax;
    return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : null;
  }

  private countChunks(request: IncomingMessage, response: ServerResponse, next: NextFunction): void {
    this.hold(request, response);
    let received = 0;
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received <= SMALL_BYTES || received > this.bodyBytesMax) return;
      this.settle(request, received);
      if (this.bytes > this.bytesMax) refuseRest({ status: 503, code: 'OVERLOADED', message: TOO_MANY }, request.socket, response.headersSent);
    });
    next();
  }

  /** From now until it is answered, and for a while only until its body has come. */
  private hold(request: IncomingMessage, response: ServerResponse): void {
    const late = setTimeout(() => refuseRest(LATE, request.socket, response.headersSent), BODY_MS_MAX).unref();
    this.bodies.set(request, { bytes: 0, late });
    response.once('close', () => {
      this.end(request, 0);
      this.bodies.delete(request);
    });
  }

  /** Nothing more of it comes, and so much is kept. */
  private end(request: IncomingMessage, bytes: number): void {
    clearTimeout(this.bodies.get(request)?.late);
    this.settle(request, bytes);
  }

  private settle(request: IncomingMessage, bytes: number): void {
    const held = this.bodies.get(request);
    if (!held) return;
    this.bytes += bytes - held.bytes;
    held.bytes = bytes;
  }
}
