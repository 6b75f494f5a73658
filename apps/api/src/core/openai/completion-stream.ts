/** Writes a generation to the client as OpenAI's chunks, as its events arrive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ArilError, type EndEvent, type GenerationEvent } from '@aril/contracts';
import type { Response } from 'express';
import type { EventFeed } from '../generations/events/event-feed.js';
import { ChunkBuilder, type Head } from './openai-response.js';
import { SseWriter } from './sse-writer.js';

/**
 * A generation that fails at once (the prompt does not fit, the adapter is broken) is better told by the HTTP status,
 * which is sent before the first event. Waiting much longer than this for it would look like a dead server.
 */
const FIRST_EVENT_WAIT_MS = 3_000;

export interface CompletionStream {
  head: Head;
  includeUsage: boolean;
  response: Response;
  /** What a failure looks like in the stream. */
  errorBody(error: unknown): object;
}

/** @throws what failed, if nothing has been sent yet. */
export async function streamCompletion(feed: EventFeed, stream: CompletionStream): Promise<void> {
  const first = feed.next();
  const early = await Promise.race([first, sleep(FIRST_EVENT_WAIT_MS, undefined, { ref: false })]);
  if (early?.value) throwFailure(early.value);
  if (stream.response.destroyed) return;
  const sse = new SseWriter(stream.response);
  try {
    await write(sse, events(first, feed), stream);
    sse.done();
  } catch (error) {
    sse.error(stream.errorBody(error));
  }
}

async function write(sse: SseWriter, events: AsyncIterable<GenerationEvent>, stream: CompletionStream): Promise<void> {
  const chunks = new ChunkBuilder(stream.head, stream.includeUsage);
  const open = new Set(Array.from({ length: stream.head.n }, (_, choice) => choice));
  for (const choice of open) sse.data(chunks.opening(choice));
  for await (const event of events) {
    throwFailure(event);
    const logprobs = event.type === 'tokens' ? event.logprobs : null;
    if (event.text !== '' || logprobs) sse.data(chunks.text(event.choice, event.text, logprobs));
    if (event.type === 'end') return finish(sse, chunks, open, event);
    if (event.type === 'choiceEnd' && open.delete(event.choice)) sse.data(chunks.finish(event.choice, event.finishReason));
  }
  // The client has left: nobody reads what is written from here on.
}

function finish(sse: SseWriter, chunks: ChunkBuilder, open: Iterable<number>, end: EndEvent): void {
  for (const choice of open) sse.data(chunks.finish(choice, end.finishReason));
  sse.data(chunks.usage(end));
}

function throwFailure(event: GenerationEvent): void {
  if (event.type === 'end' && event.error) throw new ArilError(event.error.code, event.error.message);
}

async function* events(
  first: Promise<IteratorResult<GenerationEvent, undefined>>,
  rest: EventFeed,
): AsyncGenerator<GenerationEvent> {
  for (let step = await first; !step.done; step = await rest.next()) yield step.value;
}
