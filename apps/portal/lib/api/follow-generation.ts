import { print, type ExecutionResult } from 'graphql';
import { createClient, type Client } from 'graphql-sse';
import { GenerationEventsDocument } from './documents/generations';
import type { GenerationEventsSubscription } from './generated/graphql';
import { isTransient, StreamQuietError, StreamRefusedError } from './stream-error';

export type GenerationEvent = GenerationEventsSubscription['generationEvents'];
type Events = AsyncIterableIterator<ExecutionResult<GenerationEventsSubscription>>;

/** Waits between attempts; given up when this many in a row brought no event. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];

/** A stream this quiet is asked for again: a connection can die without either end being told. */
const QUIET_MS_MAX = 30_000;

export interface FollowOptions {
  signal: AbortSignal;
  /** Called before each new attempt, with the number of attempts since the last event. */
  onReconnect?: (attempt: number) => void;
  /** Called when a connection brought nothing for `quietMsMax`; it is asked for anew, as it may be dead. */
  onQuiet?: () => void;
  client?: Pick<Client, 'iterate'>;
  retryDelaysMs?: readonly number[];
  quietMsMax?: number;
}

// The client's own retries would repeat the request as it was, and with it events already shown.
let browserClient: Client | undefined;
const defaultClient = (): Client =>
  (browserClient ??= createClient({
    url: '/api/graphql/stream',
    credentials: 'same-origin',
    retryAttempts: 0,
  }));

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

const eventOf = ({ errors, data }: ExecutionResult<GenerationEventsSubscription>): GenerationEvent => {
  const refusal = errors?.[0];
  if (refusal)
    throw new StreamRefusedError(
      String(refusal.extensions?.['code'] ?? 'INTERNAL_SERVER_ERROR'),
      refusal.message,
    );
  if (!data) throw new StreamRefusedError('INTERNAL_SERVER_ERROR', 'The stream sent an event without data.');
  return data.generationEvents;
};

/** One connection's events until it completes or the signal fires; throws when it breaks or goes quiet. */
async function* eventsOfOneConnection(
  events: Events,
  signal: AbortSignal,
  quietMsMax: number,
): AsyncGenerator<GenerationEvent> {
  const over = new AbortController();
  const stopWaiting = (): void => over.abort();
  signal.addEventListener('abort', stopWaiting, { once: true });
  try {
    while (!signal.aborted) {
      const turn = new AbortController();
      const quiet = sleep(quietMsMax, AbortSignal.any([over.signal, turn.signal])).then(() => null);
      const next = await Promise.race([events.next(), quiet]).finally(() => turn.abort());
      if (signal.aborted || next?.done) return;
      if (next === null) throw new StreamQuietError();
      yield eventOf(next.value);
    }
  } finally {
    signal.removeEventListener('abort', stopWaiting);
    void events.return?.();
  }
}

/**
 * All events of a generation, each once and in order, whatever happens to the connection meanwhile: after a break
 * the stream is asked for again from the last number seen. Ends after the `GenerationEnd` event or with the signal.
 */
export async function* followGeneration(
  generationId: string,
  options: FollowOptions,
): AsyncGenerator<GenerationEvent> {
  const {
    signal,
    onReconnect,
    onQuiet,
    client = defaultClient(),
    retryDelaysMs = RETRY_DELAYS_MS,
    quietMsMax = QUIET_MS_MAX,
  } = options;
  const query = print(GenerationEventsDocument);
  let after = 0;
  let failures = 0;
  while (!signal.aborted) {
    let failure: unknown = null;
    try {
      const events = client.iterate<GenerationEventsSubscription>({
        query,
        variables: { generationId, after },
      });
      for await (const event of eventsOfOneConnection(events as Events, signal, quietMsMax)) {
        if (event.seq <= after) continue;
        after = event.seq;
        failures = 0;
        yield event;
        if (event.__typename === 'GenerationEnd') return;
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
      failure = error;
    }
    if (signal.aborted) return;
    // Waiting long for a turn is no failure; a connection that is truly dead fails at the next attempt.
    if (failure instanceof StreamQuietError) {
      failures = 0;
      onQuiet?.();
      continue;
    }
    const delayMs = retryDelaysMs[failures++];
    // A connection that ended without the end event was cut politely, for instance by an API shutting down.
    if (delayMs === undefined)
      throw failure ?? new StreamRefusedError('OVERLOADED', 'The stream broke off repeatedly.');
    onReconnect?.(failures);
    await sleep(delayMs, signal);
  }
}
