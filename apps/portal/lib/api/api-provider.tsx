'use client';
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from 'react';
import { Provider } from 'urql';
import { createGraphqlClient } from './graphql-client';

const ResetContext = createContext<() => void>(() => undefined);

/**
 * Gives components the API's client. `useResetApi` replaces it with a fresh one: after signing in or out nothing
 * that was cached for someone else may be shown.
 */
export const ApiProvider = ({ children }: { children: ReactNode }) => {
  const [generation, setGeneration] = useState(0);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- a new number asks for a new client
  const client = useMemo(() => createGraphqlClient(), [generation]);
  const reset = useCallback(() => setGeneration((number) => number + 1), []);
  return (
    <ResetContext value={reset}>
      <Provider value={client}>{children}</Provider>
    </ResetContext>
  );
};

export const useResetApi = (): (() => void) => useContext(ResetContext);
