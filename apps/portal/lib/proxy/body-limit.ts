/**
 * Next hands a route handler the request's body without backpressure: while the API is slow, what the browser
 * sends collects here. One request therefore may carry only so much, which must be known before it is read.
 * The portal's own uploads of adapters come in requests of 8 MiB; programs send large files to the API itself.
 */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;

export interface BodyRefusal {
  status: 411 | 413;
  code: string;
  message: string;
}

export const refuseBody = (headers: Headers): BodyRefusal | null => {
  const length = headers.get('content-length');
  if (length === null && headers.has('transfer-encoding')) {
    const message = 'Content-Length: found none, expected the number of bytes of the body';
    return { status: 411, code: 'BAD_INPUT', message };
  }
  if (Number(length ?? 0) <= BODY_BYTES_MAX) return null;
  const message = `Content-Length: found ${length}, expected at most ${BODY_BYTES_MAX} in one request; send a file in chunks, or to the API itself`;
  return { status: 413, code: 'PAYLOAD_TOO_LARGE', message };
};
