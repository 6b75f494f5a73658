import { z } from 'zod';

const httpUrl = (name: string) =>
  z.url({ protocol: /^https?$/, error: `${name}: expected an http(s) URL such as http://127.0.0.1:4000` });

/**
 * The portal's server-side settings. Read when a request needs them, not when the module loads: `next build`
 * evaluates modules too, and one build must serve any address.
 */
const configSchema = z.object({
  /** Where the portal's server reaches the API; browsers never talk to it. */
  API_URL: httpUrl('API_URL').default('http://127.0.0.1:4000'),
  /** The API's address as customers' programs reach it, shown in code examples; API_URL when not set. */
  PUBLIC_API_URL: httpUrl('PUBLIC_API_URL').optional(),
});

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

export const readConfig = (): { apiUrl: string; publicApiUrl: string } => {
  const env = configSchema.parse(process.env);
  return { apiUrl: withoutSlash(env.API_URL), publicApiUrl: withoutSlash(env.PUBLIC_API_URL ?? env.API_URL) };
};
