/** Writes chats and completions to the client as OpenAI's chunks. */
import type { EndEvent, GenerationEvent } from '@aril/contracts';
import { openAiError, type ErrorReport } from '../../base/errors/error-report.js';
import { ChunkBuilder } from './chunk-builder.js';
import type { AnswerWriter } from './endpoint.js';
import type { Head } from './openai-response.js';
import type { SseWriter } from './sse-writer.js';

export class ChunkWriter implements AnswerWriter {
  private readonly chunks: ChunkBuilder;
  /** By prompt: the choices that go on, numbered through. */
  private readonly open = new Map<number, Set<number>>();

  constructor(
    private readonly sse: SseWriter,
    private readonly head: Head,
    includeUsage: boolean,
  ) {
    this.chunks = new ChunkBuilder(head, includeUsage);
  }

  begin(prompt: number): void {
    const { n } = this.head;
    const choices = Array.from({ length: n }, (_, choice) => prompt * n + choice);
    this.open.set(prompt, new Set(choices));
    for (const choice of choices) this.sse.data(this.chunks.opening(choice));
  }

  event(prompt: number, event: GenerationEvent): void {
    const open = this.open.get(prompt) ?? new Set();
    if (event.type === 'prompt') return this.send([...open].map((choice) => this.chunks.echo(choice, event)));
    const choice = prompt * this.head.n + event.choice;
    if (event.text !== '' || (event.type === 'tokens' && event.logprobs)) this.send(this.chunks.text(choice, event));
    if (event.type === 'choiceEnd' && open.delete(choice)) this.send(this.chunks.finish(choice, event.finishReason));
    if (event.type === 'end') for (const left of open) this.send(this.chunks.finish(left, event.finishReason));
  }

  end(ends: readonly EndEvent[]): void {
    this.sse.data(this.chunks.usage(ends));
    this.sse.done();
  }

  fail(report: ErrorReport): void {
    this.sse.error(openAiError(report));
  }

  private send(chunks: readonly object[]): void {
    for (const chunk of chunks) this.sse.data(chunk);
  }
}
