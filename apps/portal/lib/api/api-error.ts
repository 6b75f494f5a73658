import type { CombinedError } from 'urql';

/** What the portal shows of a failed call: a stable code, a sentence, and the input at fault if the API named one. */
export interface ApiError {
  code: string;
  message: string;
  field?: string;
  /** The API's finer code, where the portal has something to offer for it. */
  reason?: string;
}

export const API_UNREACHABLE = 'API_UNREACHABLE';

const UNREACHABLE_MESSAGE = 'The Aril API cannot be reached. It may be starting; try again in a moment.';

/** `networkError` covers everything that gave no GraphQL answer: no connection, or the proxy's 502. */
export const toApiError = (error: CombinedError): ApiError => {
  const first = error.graphQLErrors[0];
  if (!first) return { code: API_UNREACHABLE, message: UNREACHABLE_MESSAGE };
  const { code, field, reason } = first.extensions as { code?: unknown; field?: unknown; reason?: unknown };
  return {
    code: typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR',
    message: first.message,
    ...(typeof field === 'string' ? { field } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
};

export const isUnauthenticated = (error: CombinedError | undefined): boolean =>
  error?.graphQLErrors.some((each) => each.extensions['code'] === 'UNAUTHENTICATED') ?? false;

/** Whether what a page is about is not there; an id that cannot be one counts too. */
export const isMissing = ({ code }: ApiError): boolean => code === 'NOT_FOUND' || code === 'BAD_USER_INPUT';
