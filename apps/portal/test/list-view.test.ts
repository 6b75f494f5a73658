import { describe, expect, it } from 'vitest';
import { listViewQuery, NEWEST_FIRST, readListView } from '@/features/adapters/list-view';

const read = (query: string) => readListView(new URLSearchParams(query));

describe('the list view in the address', () => {
  it.each(['', '?search=order+json&status=refused&page=3', '?status=ready', '?sort=name', '?sort=-used&page=2', '?sort=created'])('survives %j', (query) => {
    expect(listViewQuery(read(query))).toBe(query);
  });

  it.each(['?page=0', '?page=1.5', '?page=x', '?page=-2', '?status=broken', '?search=+', '?sort=size', '?sort=-created'])(
    'takes %j as the whole list',
    (query) => expect(read(query)).toEqual({ search: '', status: null, order: NEWEST_FIRST, page: 1 }),
  );
});
