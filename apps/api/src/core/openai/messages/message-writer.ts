/** Writes an answer to the client as Anthropic's events. */
import type { EndEvent, GenerationEvent } from '@aril/contracts';
import { anthropicError, type ErrorReport } from '../../../base/errors/error-report.js';
import type { Admitted, AnswerWriter } from '../endpoint.js';
import { readerOf, type PieceReader } from '../reasoning/piece-reader.js';
import type { SseWriter } from '../sse-writer.js';
import { messageObject, stopOf, usageOf } from './message-object.js';
import { MessageOutput, type MessageEvent } from './message-output.js';
import type { MessageSettings } from './message-request.js';

/** How long the prompt is, is told with the end. */
const NOTHING_YET = usageOf({ promptTokens: 0, cachedTokens: 0, completionTokens: 0 });

export class MessageWriter implements AnswerWriter {
  private readonly output: MessageOutput;
  private readonly reader: PieceReader;

  constructor(
    private readonly sse: SseWriter,
    private readonly admitted: Admitted,
    private readonly settings: MessageSettings,
  ) {
    this.output = new MessageOutput(admitted.generationId, settings.tellsThoughts);
    this.reader = readerOf(admitted.asked.tools);
  }

  begin(): void {
    this.send([{ type: 'message_start', message: messageObject(this.admitted, [], null, NOTHING_YET) }]);
  }

  event(_prompt: number, event: GenerationEvent): void {
    if (event.type !== 'prompt') this.send(this.output.push(this.reader.push(event.text, event.reasoningTokens)));
  }

  end([end]: readonly EndEvent[]): void {
    if (!end) return this.sse.close();
    this.send([...this.output.push(this.reader.end()), ...this.output.close()]);
    this.send([{ type: 'message_delta', delta: stopOf(end, this.output, this.settings), usage: usageOf(end) }, { type: 'message_stop' }]);
    this.sse.close();
  }

  fail(report: ErrorReport): void {
    this.sse.error(anthropicError(report));
  }

  private send(events: readonly MessageEvent[]): void {
    for (const event of events) this.sse.event(event.type, event);
  }
}
