/** Relays generations to the client as their events arrive. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArilError, EndEvent, GenerationEvent } from '@aril/contracts';
import type { Response } from 'express';
import { untilRoom } from '../../base/http/backpressure.js';
import type { ErrorReport } from '../../base/errors/error-report.js';
import type { EventFeed } from '../generations/events/event-feed.js';
import type { AnswerWriter } from './endpoint.js';
import { SseWriter } from './sse-writer.js';

/**
 * A generation that fails at once (the prompt does not fit, the adapter is broken) is better told by the HTTP status,
 * which is sent before the first event. Waiting much longer than this for it would look like a dead server.
 */
const FIRST_EVENT_WAIT_MS = 3_000;

export interface CompletionStream {
  response: Response;
  writer(sse: SseWriter): AnswerWriter;
  /** Of the generation of a prompt. */
  failure(prompt: number, error: NonNullable<EndEvent['error']>): ArilError;
  /** What a failure in the stream is told as; it ends the rest. */
  report(error: unknown): ErrorReport;
}

/**
 * `feeds`: one per prompt. Their pieces are sent as they come, whichever prompt's they are.
 * @throws what failed, if nothing has been sent yet.
 */
export async function streamCompletion(feeds: readonly EventFeed[], stream: CompletionStream): Promise<void> {
  const begun = feeds.map((feed) => ({ first: feed.next(), rest: feed }));
  const checked = begun.map(async ({ first }, prompt) => throwFailure((await first).value, prompt, stream));
  await Promise.race([...checked, sleep(FIRST_EVENT_WAIT_MS, undefined, { ref: false })]);
  if (stream.response.destroyed) return;
  const writer = stream.writer(new SseWriter(stream.response));
  try {
    const ends = await Promise.all(begun.map((feed, prompt) => relay(prompt, events(feed), writer, stream)));
    writer.end(ends.filter((end) => end !== null));
  } catch (error) {
    writer.fail(stream.report(error));
  }
}

/** null: the client has left, and nobody reads what is written from here on. */
async function relay(prompt: number, events: AsyncIterable<GenerationEvent>, writer: AnswerWriter, stream: CompletionStream): Promise<EndEvent | null> {
  writer.begin(prompt);
  for await (const event of events) {
    throwFailure(event, prompt, stream);
    writer.event(prompt, event);
    await untilRoom(stream.response);
    if (event.type === 'end') return event;
  }
  return null;
}

function throwFailure(event: GenerationEvent | undefined, prompt: number, { failure }: Pick<CompletionStream, 'failure'>): void {
  if (event?.type === 'end' && event.error) throw failure(prompt, event.error);
}

interface BegunFeed {
  first: ReturnType<EventFeed['next']>;
  rest: EventFeed;
}

async function* events({ first, rest }: BegunFeed): AsyncGenerator<GenerationEvent> {
  for (let step = await first; !step.done; step = await rest.next()) yield step.value;
}
