/**
 * What fails after a request has been read, in the words of its caller: the engine calls the fields by its own names,
 * and OpenAI has a sentence for a full context that clients (LiteLLM, LangChain) look for.
 */
import { ArilError, type EndEvent } from '@aril/contracts';
import { ContextTooLong, type FieldNames } from '../generations/generation-request.js';
import type { NamedConstraint } from './openai-constraint.js';

/** How the caller calls what an engine's message can be about. */
interface CallerNames extends Pick<FieldNames, 'input' | 'maxTokens' | 'logprobs'> {
  /** null: there is none. */
  constraint: Pick<NamedConstraint, 'name' | 'parts'> | null;
}

/** The engine's names of fields → those of the endpoints, where the caller can be at fault. Longer ones first. */
const ENGINE_NAMES: readonly (readonly [string, string])[] = [
  ['sampling.logitBias', 'logit_bias'],
  ['sampling.temperature', 'temperature'],
  ['sampling.topK', 'top_k'],
  ['sampling.topP', 'top_p'],
  ['sampling.minP', 'min_p'],
  ['sampling.seed', 'seed'],
  ['sampling.repetitionPenalty', 'repetition_penalty'],
  ['sampling.frequencyPenalty', 'frequency_penalty'],
  ['sampling.presencePenalty', 'presence_penalty'],
  ['sampling.minTokens', 'min_tokens'],
  ['stopTokens', 'stop_token_ids'],
  ['ignoreEos', 'ignore_eos'],
];
/** A message that begins with what it is about: `constraint.schema.type: found …`, `constraint.schema is not JSON: …`. */
const ABOUT = /^([A-Za-z]\w*(?:[.[].*?)?)(?=: found | is not JSON: )/s;
/** The model's template does not take them, or there is none: nothing was found to be anything. */
const TEMPLATE = /^messages: /;

/** What a generation failed of, as an error that names the caller's parameter. `contextTokens`: its model's, where it is known. */
export function generationFailure({ code, message }: NonNullable<EndEvent['error']>, names: CallerNames, contextTokens: number | null): ArilError {
  if (code === 'CONTEXT_TOO_LONG' && contextTokens !== null) {
    const found = /(\d+) tokens/.exec(message)?.[1];
    return contextLengthExceeded(names.input, found === undefined ? null : Number(found), contextTokens);
  }
  if (TEMPLATE.test(message)) return new ArilError(code, message, names.input);
  const about = ABOUT.exec(message)?.[1];
  const param = about === undefined ? null : callerName(about, names);
  if (about !== undefined && param !== null) return new ArilError(code, param + message.slice(about.length), param);
  const whole = code === 'CONSTRAINT_INVALID' || code === 'CONSTRAINT_DEAD_END' ? (names.constraint?.name ?? null) : null;
  return whole === null ? new ArilError(code, message) : new ArilError(code, `${whole}: ${message}`, whole);
}

/** What the admission refused, likewise; everything but a full context names the caller's parameter already. */
export function admissionFailure(error: unknown): unknown {
  return error instanceof ContextTooLong ? contextLengthExceeded(error.field ?? '', error.found, error.contextTokens) : error;
}

/** `constraint.schema.type` → `guided_json.type`. null: it is nothing of the caller's. */
function callerName(about: string, { input, maxTokens, logprobs, constraint }: CallerNames): string | null {
  const names: (readonly [string, string])[] = [...ENGINE_NAMES, ['maxTokens', maxTokens], ['promptLogprobs', logprobs], ['promptTokens', input]];
  if (constraint) names.push(...(constraint.parts ?? []));
  if (constraint) for (const field of ['.schema', '.pattern', '.grammar', '']) names.push([`constraint${field}`, constraint.name]);
  const found = names.find(([engine]) => about === engine || about.startsWith(`${engine}.`) || about.startsWith(`${engine}[`));
  return found ? found[1] + about.slice(found[0].length) : null;
}

/** In OpenAI's own words up to the number; `found` null: nobody has said how many tokens there were. */
function contextLengthExceeded(input: string, found: number | null, contextTokens: number): ArilError {
  const whose = input === 'messages' ? 'messages resulted in' : `${input} has`;
  const how = found === null ? `your ${input} left no room in it` : `your ${whose} ${found} tokens`;
  const message = `This model's maximum context length is ${contextTokens} tokens. However, ${how}. Please reduce its length.`;
  return new ArilError('CONTEXT_TOO_LONG', message, input);
}
