/** The endpoints that a batch can be for. */
export const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/responses'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** A request with a long prompt has its url behind it, so all of a long line is looked at. */
const HEAD_BYTES = 1024 * 1024;

const isEndpoint = (url: unknown): url is Endpoint => ENDPOINTS.some((endpoint) => endpoint === url);

/** What the first request of a file is for, so that nobody has to choose it; null where that cannot be seen. */
export const endpointOf = async (file: Blob): Promise<Endpoint | null> => {
  const [first = ''] = (await file.slice(0, HEAD_BYTES).text()).trimStart().split('\n', 1);
  try {
    const { url } = JSON.parse(first) as { url?: unknown };
    return isEndpoint(url) ? url : null;
  } catch {
    // The API says what is wrong with it, line by line.
    return null;
  }
};
