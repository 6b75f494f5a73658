import { NetworkError } from 'graphql-sse';

/** The API's refusal of a stream: asking again would bring the same answer. */
export class StreamRefusedError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'StreamRefusedError';
  }
}

/** A connection without an event for so long that it may be dead. */
export class StreamQuietError extends Error {}

/** Lost connections and answers of a server in trouble pass; what the API refuses, it refuses again. */
export const isTransient = (error: unknown): boolean => {
  if (error instanceof StreamRefusedError) return false;
  if (error instanceof NetworkError) return !error.response || error.response.status >= 500;
  return true;
};
