'use client';
import { useCallback, useMemo } from 'react';
import { useQuery, type AnyVariables, type TypedDocumentNode } from 'urql';
import { toApiError, type ApiError } from './api-error';

export interface ApiQuery<Data> {
  data: Data | undefined;
  error: ApiError | undefined;
  /** No answer yet, neither data nor error. */
  loading: boolean;
  /** An answer is shown and a newer one is on its way. */
  refreshing: boolean;
  reload: () => void;
}

interface Options {
  /** GraphQL types whose changes make this query stale even when its answer holds none of them. */
  types?: string[];
  pause?: boolean;
}

export const useApiQuery = <Data, Variables extends AnyVariables>(
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { types = [], pause = false }: Options = {},
): ApiQuery<Data> => {
  const typeNames = types.join(',');
  // urql compares contexts by identity, so it must be the same object from one render to the next.
  const context = useMemo(
    () => ({ additionalTypenames: typeNames ? typeNames.split(',') : [] }),
    [typeNames],
  );
  const [{ data, error, fetching, stale }, execute] = useQuery({ query, variables, context, pause });
  const reload = useCallback(() => execute({ requestPolicy: 'network-only' }), [execute]);
  return {
    data,
    error: error && toApiError(error),
    loading: fetching && !data,
    refreshing: (fetching || stale) && data !== undefined,
    reload,
  };
};
