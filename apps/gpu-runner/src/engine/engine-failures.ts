import { ArilError, type ErrorCode } from '@aril/contracts';
import { EngineFailure } from './inference-engine.js';

/**
 * Engine code → the code of the one error table. `shown` says whether the engine's own words are about the caller's
 * request and may be shown; everything else gets a sentence of ours and its cause goes to the log.
 */
const REQUEST_CODES: Record<string, { code: ErrorCode; shown: boolean; message: string }> = {
  bad_argument: { code: 'BAD_INPUT', shown: true, message: 'The request is not valid for this model.' },
  constraint_invalid: { code: 'CONSTRAINT_INVALID', shown: true, message: 'The constraint cannot be compiled.' },
  constraint_dead_end: { code: 'CONSTRAINT_DEAD_END', shown: true, message: 'The constraint allows no further token.' },
  context_too_long: { code: 'CONTEXT_TOO_LONG', shown: true, message: 'The prompt does not fit the context.' },
  adapter_unknown: { code: 'ADAPTER_LOAD_FAILED', shown: false, message: 'The adapter was not resident.' },
  numeric_error: {
    code: 'NUMERIC_ERROR',
    shown: false,
    message: 'The model with this adapter produced values that are not numbers.',
  },
  out_of_memory: { code: 'OUT_OF_MEMORY', shown: false, message: 'The runner has no memory left for this request.' },
  tokenizer_failed: { code: 'OVERLOADED', shown: false, message: 'The runner could not tokenize the input.' },
  closed: { code: 'ENGINE_CLOSED', shown: false, message: 'The engine stopped before the generation ended.' },
};

/** A failure of one request, from the engine's code and message. */
export function requestFailure(engineCode: string, message: string, cause?: unknown): EngineFailure {
  const known = REQUEST_CODES[engineCode];
  const error = known
    ? new ArilError(known.code, known.shown && message ? message : known.message)
    : new ArilError('INTERNAL', 'The generation failed inside the engine.');
  return new EngineFailure(engineCode, error, { cause });
}

/** Codes whose words are about the tenant's own files and may be shown to it. */
const SHOWN_ADAPTER_CODES = new Set(['adapter_refused', 'adapter_fetch_failed']);

/** A failure to make an adapter resident. */
export function adapterFailure(engineCode: string, message: string, cause?: unknown): EngineFailure {
  if (engineCode === 'out_of_memory' || engineCode === 'closed') return requestFailure(engineCode, message, cause);
  const detail = SHOWN_ADAPTER_CODES.has(engineCode) && message ? `: ${message}` : '.';
  const error = new ArilError('ADAPTER_LOAD_FAILED', `The adapter could not be loaded${detail}`);
  return new EngineFailure(engineCode, error, { cause });
}
