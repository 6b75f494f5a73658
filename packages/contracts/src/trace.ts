import { z } from 'zod';

/** A client's own id of a request, kept where it looks like one. */
export const REQUEST_ID = /^[\w.:-]{8,128}$/;

/** W3C Trace Context, version 00: trace id, parent id, flags; ids of zeros alone are invalid. https://www.w3.org/TR/trace-context/ */
export const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What joins a generation's log lines in API and runner, and those of its caller. */
export const traceSchema = z.object({
  /** Of the API's request that started it. */
  requestId: z.string().regex(REQUEST_ID).optional(),
  /** As the caller sent it: nothing here starts spans of its own. */
  traceparent: z.string().regex(TRACEPARENT).optional(),
});
export type Trace = z.infer<typeof traceSchema>;

/** The part that is the same in all of a trace; null: not a traceparent. */
export const traceIdOf = (traceparent: unknown): string | null =>
  typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent.slice(3, 35) : null;

/** Both as log lines have them. */
export function traceFields({ requestId, traceparent }: Trace): { requestId?: string; traceId?: string } {
  const traceId = traceIdOf(traceparent);
  return { ...(requestId !== undefined && { requestId }), ...(traceId !== null && { traceId }) };
}
