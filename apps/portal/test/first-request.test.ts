import { describe, expect, it } from 'vitest';
import { endpointOf } from '@/features/batches/first-request';

const of = (text: string) => endpointOf(new Blob([text]));

describe('the endpoint of a file of requests', () => {
  it('is that of its first request', async () => {
    expect(await of('\n{"custom_id": "1", "url": "/v1/completions"}\n{"url": "/v1/responses"}')).toBe('/v1/completions');
    expect(await of(JSON.stringify({ body: { prompt: 'x'.repeat(200_000) }, url: '/v1/responses' }))).toBe('/v1/responses');
  });

  it.each(['', 'no JSON', '5', '{"url": "/v1/embeddings"}', 'null', '{}'])('is not told by %j', async (text) => {
    expect(await of(text)).toBeNull();
  });
});
