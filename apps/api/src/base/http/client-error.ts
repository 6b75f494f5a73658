/**
 * Requests that Node's parser refuses, or waited for in vain, before Express sees them. Node answers them with a status and
 * nothing else, which tells a client's author nothing.
 */
import { randomUUID } from 'node:crypto';
import { maxHeaderSize, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { restError } from '../errors/error-report.js';

interface Refusal {
  status: number;
  code: 'BAD_INPUT' | 'OVERLOADED' | 'PAYLOAD_TOO_LARGE' | 'TIMED_OUT';
  message: string;
  headers?: Record<string, string>;
}

export const LATE: Refusal = { status: 408, code: 'TIMED_OUT', message: 'The rest of the request did not come in time.' };
const BY_CODE: Record<string, Refusal> = {
  ERR_HTTP_REQUEST_TIMEOUT: LATE,
  HPE_HEADER_OVERFLOW: { status: 431, code: 'PAYLOAD_TOO_LARGE', message: `The request line and the headers are too large: found more, expected at most ${maxHeaderSize} bytes together.` },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, code: 'PAYLOAD_TOO_LARGE', message: "The chunks' extensions are too large." },
};
const PROXY: Refusal = { status: 405, code: 'BAD_INPUT', message: 'CONNECT: found it, but this is no proxy.' };
const EXPECTATION: Refusal = { status: 417, code: 'BAD_INPUT', message: 'Expect: found something else, expected 100-continue.' };

/** `reason`: the parser's. `isAnswered`: an answer has begun on this connection, into which nothing else must be written. */
export function answerClientError({ code, reason }: NodeJS.ErrnoException & { reason?: string }, socket: Duplex, isAnswered: boolean): void {
  if (code === 'ECONNRESET') return void socket.destroy();
  const unreadable = { status: 400, code: 'BAD_INPUT', message: `That is no HTTP request: found ${reason ?? 'something else'}, expected HTTP/1.1.` } as const;
  refuseRest(BY_CODE[code ?? ''] ?? unreadable, socket, isAnswered);
}

/** What Node has events for, and answers with nothing but a status, or not at all, where nobody listens. */
export function answerOddities(server: Server): void {
  server.on('connect', (_request, socket) => refuseRest(PROXY, socket, false));
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    const { status, headers, body } = answerOf(EXPECTATION);
    response.writeHead(status, headers).end(body);
  });
}

/** Answers in the middle of a request, and closes. */
export function refuseRest(refusal: Refusal, socket: Duplex, isAnswered: boolean): void {
  if (!socket.writable || isAnswered) return void socket.destroy();
  const { status, headers, body } = answerOf(refusal);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'), () => socket.destroy());
}

function answerOf({ status, code, message, headers }: Refusal): { status: number; headers: Record<string, string>; body: string } {
  const requestId = randomUUID();
  const body = JSON.stringify(restError({ code, message, field: null, retryAfterMs: null, cause: null }, requestId));
  const length = String(Buffer.byteLength(body));
  return { status, body, headers: { Connection: 'close', 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': length, 'x-request-id': requestId, ...headers } };
}
