/** Writes a response to the client as OpenAI's events: numbered, named, and each with all that it is about. */
import type { EndEvent, GenerationEvent } from '@aril/contracts';
import type { ErrorReport } from '../../../base/errors/error-report.js';
import type { Admitted, AnswerWriter } from '../endpoint.js';
import { responseObject, statusOf, type ResponseState } from './response-object.js';
import { ResponseOutput, type OutputEvent } from './response-output.js';
import { readerOf, type PieceReader } from '../reasoning/piece-reader.js';
import type { ResponseSettings } from './response-request.js';
import type { SseWriter } from '../sse-writer.js';

export class ResponseWriter implements AnswerWriter {
  private readonly output: ResponseOutput;
  private readonly reader: PieceReader;
  private sequence = 0;

  constructor(
    private readonly sse: SseWriter,
    private readonly admitted: Admitted,
    private readonly settings: ResponseSettings,
  ) {
    this.output = new ResponseOutput(admitted.generationId);
    this.reader = readerOf(admitted.asked.tools);
  }

  begin(): void {
    for (const type of ['response.created', 'response.in_progress']) this.state(type, { status: 'in_progress', end: null });
  }

  event(_prompt: number, event: GenerationEvent): void {
    if (event.type === 'prompt') return;
    const logprobs = event.type === 'tokens' ? event.logprobs : null;
    this.send(this.output.push(this.reader.push(event.text, event.reasoningTokens), logprobs));
  }

  end(ends: readonly EndEvent[]): void {
    const [end] = ends;
    if (!end) return this.sse.close();
    this.send(this.output.push(this.reader.end(), null));
    const status = statusOf(end.finishReason);
    this.send(this.output.end(status));
    this.state(`response.${status}`, { status, end });
    this.sse.close();
  }

  fail({ code, message }: ErrorReport): void {
    const error = { code: code === 'RATE_LIMITED' ? 'rate_limit_exceeded' : 'server_error', message };
    this.state('response.failed', { status: 'failed', end: null, error });
    this.sse.close();
  }

  private state(type: string, state: Pick<ResponseState, 'status' | 'end'> & Partial<ResponseState>): void {
    const { items } = this.output;
    this.send([{ type, response: responseObject(this.admitted, this.settings, { error: null, output: items, ...state }) }]);
  }

  private send(events: readonly OutputEvent[]): void {
    for (const event of events) this.sse.event(event.type, { ...event, sequence_number: this.sequence++ });
  }
}
