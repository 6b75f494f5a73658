import type { AuditActorType, AuditFilter } from '@/lib/api/generated/graphql';

/** What the audit log shows. It lives in the address, so that Back, a reload and a link bring it back. Empty: no condition. */
export interface AuditView {
  /** `USER.<id>`, `API_KEY.<id>` or `SYSTEM`. */
  actor: string;
  action: string;
  /** The id of one thing. */
  resource: string;
  /** Days in UTC, "YYYY-MM-DD"; `last` is part of the period. */
  first: string;
  last: string;
  page: number;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;
const TYPES: readonly AuditActorType[] = ['USER', 'API_KEY', 'SYSTEM'];

export const ANYTHING: AuditView = { actor: '', action: '', resource: '', first: '', last: '', page: 1 };

export const actorKey = ({ type, id }: { type: AuditActorType; id: string | null }): string => (id === null ? type : `${type}.${id}`);

const validDay = (day: string | null): string => (day && DAY.test(day) && !Number.isNaN(Date.parse(day)) ? day : '');

/** Whatever an address says that makes no sense is left out. */
export const readAuditView = (params: Pick<URLSearchParams, 'get'>): AuditView => {
  const page = Number(params.get('page'));
  return {
    actor: params.get('actor') ?? '',
    action: params.get('action') ?? '',
    resource: params.get('resource') ?? '',
    first: validDay(params.get('first')),
    last: validDay(params.get('last')),
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
};

/** The address' query, without what is at its default; empty or beginning with "?". */
export const auditViewQuery = ({ page, ...conditions }: AuditView): string => {
  const params = new URLSearchParams(Object.entries(conditions).filter(([, value]) => value));
  if (page > 1) params.set('page', String(page));
  return params.size > 0 ? `?${params}` : '';
};

export const isNarrowed = (view: AuditView): boolean => auditViewQuery({ ...view, page: 1 }) !== '';

export const periodProblem = ({ first, last }: AuditView): string | null =>
  first && last && first > last ? 'The first day lies after the last' : null;

/** As the API takes it, in GraphQL and in the query of an export. */
export const filterOf = ({ actor, action, resource, first, last }: AuditView): AuditFilter => {
  const [type, actorId] = actor.split('.', 2);
  const actorType = TYPES.find((one) => one === type);
  return {
    ...(actorType ? { actorType } : {}),
    ...(actorType && actorId ? { actorId } : {}),
    ...(action ? { action } : {}),
    ...(resource ? { resourceId: resource } : {}),
    ...(first ? { from: new Date(first).toISOString() } : {}),
    ...(last ? { to: new Date(Date.parse(last) + DAY_MS).toISOString() } : {}),
  };
};

export const exportHref = (view: AuditView, extension: 'csv' | 'jsonl'): string => {
  const query = new URLSearchParams(Object.entries(filterOf(view)).map(([name, value]) => [name, String(value)]));
  return `/api/audit-events/events.${extension}${query.size > 0 ? `?${query}` : ''}`;
};
