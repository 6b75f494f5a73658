/**
 * Requests that Node's parser refuses, or waited for in vain, before Express sees them. Node answers them with a status and
 * nothing else, which tells a client's author nothing.
 */
import { randomUUID } from 'node:crypto';
import { maxHeaderSize, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { restError } from '../errors/error-report.js';

interface Refusal {
  status: number;
  code: 'BAD_INPUT' | 'OVERLOADED' | 'PAYLOAD_TOO_LARGE' | 'TIMED_OUT';
  message: string;
}

export const LATE: Refusal = { status: 408, code: 'TIMED_OUT', message: 'The rest of the request did not come in time.' };
const BY_CODE: Record<string, Refusal> = {
  ERR_HTTP_REQUEST_TIMEOUT: LATE,
  HPE_HEADER_OVERFLOW: { status: 431, code: 'PAYLOAD_TOO_LARGE', message: `The request line and the headers are too large: found more, expected at most ${maxHeaderSize} bytes together.` },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, code: 'PAYLOAD_TOO_LARGE', message: "The chunks' extensions are too large." },
};
const UNREADABLE: Refusal = { status: 400, code: 'BAD_INPUT', message: 'That is no HTTP request: expected HTTP/1.1.' };

/** `isAnswered`: an answer has begun on this connection, into which nothing else must be written. */
export function answerClientError({ code }: NodeJS.ErrnoException, socket: Socket, isAnswered: boolean): void {
  if (code === 'ECONNRESET') return void socket.destroy();
  refuseRest(BY_CODE[code ?? ''] ?? UNREADABLE, socket, isAnswered);
}

/** Answers in the middle of a request, and closes. */
export function refuseRest({ status, code, message }: Refusal, socket: Socket, isAnswered: boolean): void {
  if (!socket.writable || isAnswered) return void socket.destroy();
  const requestId = randomUUID();
  const body = JSON.stringify(restError({ code, message, field: null, retryAfterMs: null, cause: null }, requestId));
  const headers = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Type: application/json; charset=utf-8', `Content-Length: ${Buffer.byteLength(body)}`, `x-request-id: ${requestId}`];
  socket.end([...headers, '', body].join('\r\n'), () => socket.destroy());
}
