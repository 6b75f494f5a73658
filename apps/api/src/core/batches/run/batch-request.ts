/** A line of an input file: which request it is, read as the live endpoint reads one. */
import { ArilError, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { parseJson } from '../../../base/parse-json.js';
import { type EndpointPath, ENDPOINTS, type ReadRequest } from '../../openai/endpoints.js';
import { memberOf, refuse, refuseIssue } from '../../openai/openai-error.js';
import { type InputLine, LINE_BYTES_MAX } from './input-lines.js';

const CUSTOM_ID_CHARS_MAX = 512;

const schema = z.object({
  custom_id: textWithoutNul.min(1).max(CUSTOM_ID_CHARS_MAX),
  method: z.literal('POST', 'expected "POST"'),
  url: z.string(),
  body: z.record(z.string(), z.unknown()),
});

export interface BatchRequest extends ReadRequest {
  customId: string;
}

export const isBatchEndpoint = (path: string): path is EndpointPath => Object.hasOwn(ENDPOINTS, path);

/** What is wrong with a line, in a word of OpenAI's where there is one. */
export class LineProblem extends ArilError {
  constructor(
    readonly problem: string,
    message: string,
    field?: string,
  ) {
    super('BAD_INPUT', message, field);
  }
}

/** @throws ArilError BAD_INPUT and its like, naming the field: `body.max_tokens` */
export function readRequest({ text }: InputLine, endpoint: string): BatchRequest {
  if (text === null) throw new LineProblem('line_too_long', `The line: found more, expected at most ${LINE_BYTES_MAX} bytes.`);
  const json = parseJson(text);
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw new LineProblem('invalid_json_line', 'The line: expected a JSON object with custom_id, method, url and body.');
  const parsed = schema.safeParse(json);
  if (!parsed.success) return refuseIssue(parsed.error, json);
  const { custom_id: customId, url, body } = parsed.data;
  if (!isBatchEndpoint(url) || url !== endpoint) throw new LineProblem('mismatched_url', `url: expected ${JSON.stringify(endpoint)}, the endpoint of the batch, found ${JSON.stringify(url.slice(0, 80))}.`, 'url');
  return { customId, ...readBody(url, body) };
}

function readBody(url: EndpointPath, body: Record<string, unknown>): ReadRequest {
  try {
    const request = ENDPOINTS[url](body);
    if (request.asked.stream) refuse('stream', 'stream: expected false, or to be left out, in a batch.');
    return request;
  } catch (error) {
    if (!(error instanceof ArilError)) throw error;
    throw new ArilError(error.code, error.message, error.field ? `body.${error.field}` : 'body');
  }
}

/** Of a line that need not be right otherwise. */
export function customIdOf({ text }: InputLine): string | null {
  const id = memberOf(parseJson(text ?? ''), 'custom_id');
  return typeof id === 'string' ? id.slice(0, CUSTOM_ID_CHARS_MAX) : null;
}
