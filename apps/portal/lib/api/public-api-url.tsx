'use client';
import { createContext, useContext } from 'react';

const PublicApiUrlContext = createContext('http://127.0.0.1:4000');

/** Set by the portal's server when it draws a page: the address programs use, as opposed to the portal's own proxy. */
export const PublicApiUrlProvider = PublicApiUrlContext;
export const usePublicApiUrl = (): string => useContext(PublicApiUrlContext);
