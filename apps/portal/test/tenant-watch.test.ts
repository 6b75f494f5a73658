import { createClient, fetchExchange } from 'urql';
import { expect, it, vi } from 'vitest';
import { tenantWatch } from '@/lib/api/tenant-watch';

it('tells when a later answer is of another tenant, and only then', async () => {
  const moved = vi.fn();
  const answers = [
    { tenant: { id: 'a' } },
    { viewer: { id: 'x' } },
    { tenant: { id: 'a' } },
    { tenant: { id: 'b' } },
  ];
  const client = createClient({
    url: 'http://api.test',
    preferGetMethod: false,
    exchanges: [tenantWatch(moved), fetchExchange],
    fetch: () => Promise.resolve(Response.json({ data: answers.shift() })),
  });
  const calls = [];
  for (let i = 0; i < 4; i++) {
    await client.query('{ tenant { id } }', { i }).toPromise();
    calls.push(moved.mock.calls.length);
  }
  expect(calls).toEqual([0, 0, 0, 1]);
});
