/** Writes generations to the client as OpenAI's chunks, as their events arrive. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArilError, EndEvent, GenerationEvent } from '@aril/contracts';
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
  /** Of the generation of a prompt. */
  failure(prompt: number, error: NonNullable<EndEvent['error']>): ArilError;
  /** What a failure looks like in the stream. */
  errorBody(error: unknown): object;
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
  const sse = new SseWriter(stream.response);
  const relay = new Relay(sse, stream);
  try {
    const ends = await Promise.all(begun.map((feed, prompt) => relay.prompt(prompt, events(feed))));
    sse.data(relay.chunks.usage(ends.filter((end) => end !== null)));
    sse.done();
  } catch (error) {
    sse.error(stream.errorBody(error));
  }
}

class Relay {
  readonly chunks: ChunkBuilder;

  constructor(
    private readonly sse: SseWriter,
    private readonly stream: CompletionStream,
  ) {
    this.chunks = new ChunkBuilder(stream.head, stream.includeUsage);
  }

  /** null: the client has left, and nobody reads what is written from here on. */
  async prompt(prompt: number, events: AsyncIterable<GenerationEvent>): Promise<EndEvent | null> {
    const { n } = this.stream.head;
    const open = new Set(Array.from({ length: n }, (_, choice) => prompt * n + choice));
    for (const choice of open) this.sse.data(this.chunks.opening(choice));
    for await (const event of events) {
      throwFailure(event, prompt, this.stream);
      if (event.type === 'prompt') {
        for (const choice of open) this.sse.data(this.chunks.echo(choice, event));
        continue;
      }
      const choice = prompt * n + event.choice;
      const logprobs = event.type === 'tokens' ? event.logprobs : null;
      if (event.text !== '' || logprobs) this.send(this.chunks.text(choice, event.text, logprobs));
      if (event.type === 'choiceEnd' && open.delete(choice)) this.send(this.chunks.finish(choice, event.finishReason));
      if (event.type !== 'end') continue;
      for (const left of open) this.send(this.chunks.finish(left, event.finishReason));
      return event;
    }
    return null;
  }

  private send(chunks: readonly object[]): void {
    for (const chunk of chunks) this.sse.data(chunk);
  }
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
