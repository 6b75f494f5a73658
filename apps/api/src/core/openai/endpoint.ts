/** What differs between the endpoints once a request has been read. */
import type { GenerationEvent, EndEvent } from '@aril/contracts';
import type { ErrorReport } from '../../base/errors/error-report.js';
import type { Outcome } from '../generations/events/collect.js';
import type { FieldNames } from '../generations/generation-request.js';
import type { OpenAiRequest } from './openai-request.js';
import type { SseWriter } from './sse-writer.js';

/** A request whose generations have been admitted. */
export interface Admitted {
  /** The first prompt's. */
  generationId: string;
  /** Seconds since the epoch. */
  created: number;
  /** As the caller wrote it. */
  model: string;
  /** How many choices each prompt has. */
  n: number;
  asked: OpenAiRequest;
}

export interface Endpoint {
  /** What the caller calls his fields; the input is that of the prompt. */
  fieldNames(asked: OpenAiRequest, prompt: number): FieldNames;
  /** `outcomes`: one per prompt. */
  whole(admitted: Admitted, outcomes: readonly Outcome[]): object;
  stream(admitted: Admitted, sse: SseWriter): AnswerWriter;
}

/** Writes what happens as it happens, and closes the stream. */
export interface AnswerWriter {
  begin(prompt: number): void;
  event(prompt: number, event: GenerationEvent): void;
  /** After the last event of each prompt. */
  end(ends: readonly EndEvent[]): void;
  fail(report: ErrorReport): void;
}
