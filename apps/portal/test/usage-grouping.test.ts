import { expect, it } from 'vitest';
import { groupingOf, toRows } from '@/features/usage/grouping';
import { usageCsv } from '@/features/usage/usage-export';

const sums = {
  requests: 2,
  failedRequests: 1,
  promptTokens: 30,
  cachedTokens: 10,
  completionTokens: 5,
  amount: '79000',
};
const none = { baseModelId: null, adapterId: null, deploymentId: null, target: null, variant: null, apiKeyId: null, apiKeyName: null };
const group = (by: Partial<Record<keyof typeof none, string>>) => ({ day: '2026-01-02', ...none, ...by, ...sums });
const names = (groups: ReturnType<typeof group>[]) => toRows(groups).map(({ target }) => target);

it('calls groups by what they are by', () => {
  expect(names([group({ target: 'tales', baseModelId: 'base', adapterId: 'a' })])).toEqual(['tales']);
  expect(names([group({ baseModelId: 'base' })])).toEqual(['base']);
  expect(names([group({}), group({ apiKeyId: 'k1', apiKeyName: 'Shop' })])).toEqual([
    'People in the portal',
    'Shop',
  ]);
});

it('tells from an answer what it is grouped by, as the last one is shown until the next is there', () => {
  expect(groupingOf([group({ target: 'tales', baseModelId: 'base' })])).toBe('TARGET');
  expect(groupingOf([group({ baseModelId: 'base' })])).toBe('BASE_MODEL');
  expect(groupingOf([group({})])).toBe('API_KEY');
});

it('keeps keys of one name apart, and one key together over its days', () => {
  const one = group({ apiKeyId: 'id-000001', apiKeyName: 'Shop' });
  expect(names([one, { ...one, day: '2026-01-03' }])).toEqual(['Shop', 'Shop']);
  expect(names([one, group({ apiKeyId: 'id-000002', apiKeyName: 'Shop' })])).toEqual([
    'Shop (…000001)',
    'Shop (…000002)',
  ]);
});

it('exports the columns that the groups have', () => {
  const rows = toRows([group({ apiKeyId: 'k1', apiKeyName: '=Shop' })]);
  expect(usageCsv(rows, 'API_KEY')).toBe(
    'day,api_key,requests,failed_requests,prompt_tokens,cached_tokens,completion_tokens,amount_usd\r\n' +
      "2026-01-02,'=Shop,2,1,30,10,5,0.000079\r\n",
  );
  expect(usageCsv([], 'TARGET').split(',').slice(0, 4)).toEqual(['day', 'target', 'variant', 'base_model']);
});
