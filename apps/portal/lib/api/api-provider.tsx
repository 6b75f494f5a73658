'use client';
import { createContext, useCallback, useContext, useState, type ReactNode } from 'react';
import { Provider } from 'urql';
import { createGraphqlClient } from './graphql-client';

const ResetContext = createContext<() => void>(() => undefined);

/**
 * Gives components the API's client. `useResetApi` replaces it with a fresh one: after signing in or out nothing
 * that was cached for someone else may be shown.
 */
export const ApiProvider = ({ children }: { children: ReactNode }) => {
  const [client, setClient] = useState(createGraphqlClient);
  const reset = useCallback(() => setClient(createGraphqlClient), []);
  return (
    <ResetContext value={reset}>
      <Provider value={client}>{children}</Provider>
    </ResetContext>
  );
};

export const useResetApi = (): (() => void) => useContext(ResetContext);
