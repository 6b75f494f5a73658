/** What the request under way is called by its caller and by us, in its ambient context: for log lines and for the runner. */
import { REQUEST_ID, TRACEPARENT, traceFields, type Trace } from '@aril/contracts';
import { ClsServiceManager } from 'nestjs-cls';

const TRACEPARENT_KEY = Symbol("the caller's traceparent");

/** What is none is left out: an id that would have to be guessed joins nothing. */
export function setTraceparent(header: unknown): void {
  if (typeof header === 'string' && TRACEPARENT.test(header)) ClsServiceManager.getClsService().set(TRACEPARENT_KEY, header);
}

/** Empty for work that no request started. */
export function currentTrace(): Trace {
  const cls = ClsServiceManager.getClsService();
  if (!cls.isActive()) return {};
  const requestId = cls.getId() as string | undefined;
  const traceparent = cls.get<string | undefined>(TRACEPARENT_KEY);
  return { ...(requestId !== undefined && REQUEST_ID.test(requestId) && { requestId }), ...(traceparent !== undefined && { traceparent }) };
}

export const currentTraceFields = (): ReturnType<typeof traceFields> => traceFields(currentTrace());
