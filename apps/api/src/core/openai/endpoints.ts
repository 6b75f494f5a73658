/** The endpoints that generate: how each reads its requests, live ones and those of batches. */
import { ChunkEndpoint } from './chunk-endpoint.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';
import type { Endpoint } from './endpoint.js';
import { MessageEndpoint } from './messages/message-endpoint.js';
import { parseMessageRequest } from './messages/message-request.js';
import { describe, refuse } from './openai-error.js';
import type { OpenAiRequest } from './openai-request.js';
import { ResponseEndpoint } from './responses/response-endpoint.js';
import { parseResponseRequest } from './responses/response-request.js';

export interface ReadRequest {
  endpoint: Endpoint;
  asked: OpenAiRequest;
}

const CHAT = new ChunkEndpoint('chat');
const COMPLETION = new ChunkEndpoint('completion');

/** By path. */
export const ENDPOINTS = {
  '/v1/chat/completions': (body: unknown): ReadRequest => ({ endpoint: CHAT, asked: parseChatRequest(objectOf(body)) }),
  '/v1/completions': (body: unknown): ReadRequest => ({ endpoint: COMPLETION, asked: parseCompletionRequest(objectOf(body)) }),
  '/v1/responses': (body: unknown): ReadRequest => {
    const { asked, settings } = parseResponseRequest(objectOf(body));
    return { endpoint: new ResponseEndpoint(settings), asked };
  },
  '/v1/messages': (body: unknown): ReadRequest => {
    const { asked, settings } = parseMessageRequest(objectOf(body));
    return { endpoint: new MessageEndpoint(settings), asked };
  },
} as const;

export type EndpointPath = keyof typeof ENDPOINTS;

/** A body of `/v1/messages` that asks for a count says nothing of the answer, which has to be of some length. */
export const readCounted = (body: unknown): ReadRequest => ENDPOINTS['/v1/messages']({ max_tokens: 1, ...objectOf(body) });

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (body !== null && typeof body === 'object' && !Array.isArray(body)) return { ...body };
  return refuse('', `The request body: expected a JSON object, sent as application/json, found ${describe(body)}.`);
}
