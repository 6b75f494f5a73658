import { describe, expect, it } from 'vitest';
import { ANYTHING, auditViewQuery, exportHref, filterOf, isNarrowed, periodProblem, readAuditView } from '@/features/audit/audit-view';

const read = (query: string) => readAuditView(new URLSearchParams(query));
const ID = '0199a1b2-0000-7000-8000-000000000001';

describe('the audit log in the address', () => {
  it.each(['', `?actor=USER.${ID}&page=3`, '?actor=SYSTEM&action=adapter.delete', `?resource=${ID}&first=2026-10-01&last=2026-10-31`])(
    'survives %j',
    (query) => expect(auditViewQuery(read(query))).toBe(query),
  );

  it.each(['?page=0', '?page=x', '?first=yesterday', '?last=2026-13-45', '?first=', '?other=1'])('takes %j as all of it', (query) => {
    expect(read(query)).toEqual(ANYTHING);
    expect(isNarrowed(read(query))).toBe(false);
  });

  it('asks the API for whole days, the last one too', () => {
    expect(filterOf(read(`?actor=API_KEY.${ID}&action=a.b&first=2026-10-01&last=2026-10-31`))).toEqual({
      actorType: 'API_KEY',
      actorId: ID,
      action: 'a.b',
      from: '2026-10-01T00:00:00.000Z',
      to: '2026-11-01T00:00:00.000Z',
    });
    expect(filterOf(read('?actor=SYSTEM'))).toEqual({ actorType: 'SYSTEM' });
    expect(filterOf(read('?actor=nonsense'))).toEqual({});
  });

  it('exports what it shows, whatever the page', () => {
    expect(exportHref(read('?page=4'), 'csv')).toBe('/api/audit-events/events.csv');
    expect(exportHref(read('?action=adapter.delete'), 'jsonl')).toBe('/api/audit-events/events.jsonl?action=adapter.delete');
  });

  it('tells a period that ends before it begins', () => {
    expect(periodProblem(read('?first=2026-10-02&last=2026-10-01'))).toBe('The first day lies after the last');
    expect(periodProblem(read('?first=2026-10-01&last=2026-10-01'))).toBeNull();
  });
});
