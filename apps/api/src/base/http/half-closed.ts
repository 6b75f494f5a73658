/**
 * Clients that close their side of a connection once they have asked (`nc -N`, `shutdown(SHUT_WR)`), and wait for the
 * answer. On the wire they look like clients that are gone; but who is gone refuses the next byte, and then the
 * connection breaks. So one is sent that means nothing to who is there: an interim answer, or a comment of a stream.
 */
import type { Server, ServerResponse } from 'node:http';

/** Node closes such connections, answer or not, unless this says otherwise; it is not in its documentation. */
export function keepHalfClosed(server: Server): void {
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
}

const ASK_EVERY_MS = 2_000;

/** Of an answer whose client has closed its side: until it is given, or nobody is there. */
export function askWhetherThere(response: ServerResponse): void {
  // HTTP/1.0 has no interim answers.
  if (response.req.httpVersion !== '1.1') return void response.destroy();
  ask(response);
  const timer = setInterval(() => ask(response), ASK_EVERY_MS);
  response.once('close', () => clearInterval(timer));
}

function ask(response: ServerResponse): void {
  if (response.writableEnded || response.writableNeedDrain || response.destroyed) return;
  if (!response.headersSent) response.writeProcessing();
  else if (/^text\/event-stream/.test(String(response.getHeader('content-type')))) response.write(':\n\n');
}
