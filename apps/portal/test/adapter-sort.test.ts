import { expect, it } from 'vitest';
import { orderOf, sortStatus } from '@/features/adapters/adapter-sort';
import { NEWEST_FIRST } from '@/features/adapters/list-view';

it('begins with A or with the newest in another column, and turns around in the same one', () => {
  const byName = orderOf({ columnAccessor: 'name', direction: 'desc' }, NEWEST_FIRST);
  expect(byName).toEqual({ field: 'NAME', direction: 'ASC' });
  expect(orderOf({ columnAccessor: 'name', direction: 'desc' }, byName)).toEqual({ field: 'NAME', direction: 'DESC' });
  expect(orderOf({ columnAccessor: 'lastUsedAt', direction: 'asc' }, byName)).toEqual({ field: 'LAST_USED_AT', direction: 'DESC' });
});

it('shows the order it was given', () => {
  expect(sortStatus(NEWEST_FIRST)).toEqual({ columnAccessor: 'createdAt', direction: 'desc' });
});
