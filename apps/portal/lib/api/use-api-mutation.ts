'use client';
import { useCallback, useMemo, useState } from 'react';
import { useClient, type AnyVariables, type TypedDocumentNode } from 'urql';
import { toApiError, type ApiError } from './api-error';

export type ApiResult<Data> = { data: Data; error?: undefined } | { data?: undefined; error: ApiError };

/**
 * Runs a mutation and says how it went as a value: forms show the error where it belongs. `types` names what
 * changes besides the types of the answer, such as the type of a thing that was deleted.
 */
export const useApiMutation = <Data, Variables extends AnyVariables>(
  mutation: TypedDocumentNode<Data, Variables>,
  { types = [] }: { types?: string[] } = {},
): [(variables: Variables) => Promise<ApiResult<Data>>, { busy: boolean }] => {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const typeNames = types.join(',');
  const context = useMemo(
    () => ({ additionalTypenames: typeNames ? typeNames.split(',') : [] }),
    [typeNames],
  );
  const run = useCallback(
    async (variables: Variables): Promise<ApiResult<Data>> => {
      setBusy(true);
      try {
        const { data, error } = await client.mutation(mutation, variables, context).toPromise();
        if (error) return { error: toApiError(error) };
        if (!data)
          return { error: { code: 'INTERNAL_SERVER_ERROR', message: 'The API gave an empty answer.' } };
        return { data };
      } finally {
        setBusy(false);
      }
    },
    [client, mutation, context],
  );
  return [run, { busy }];
};
