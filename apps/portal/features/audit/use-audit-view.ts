'use client';
import { usePathname, useRouter, useSearchParams } from 'next/navigation';
import { useCallback, useMemo } from 'react';
import { auditViewQuery, readAuditView, type AuditView } from './audit-view';

export const useAuditView = (): [AuditView, (change: Partial<AuditView>) => void] => {
  const router = useRouter();
  const pathname = usePathname();
  const params = useSearchParams();
  const view = useMemo(() => readAuditView(params), [params]);
  const change = useCallback(
    (part: Partial<AuditView>) => router.push(pathname + auditViewQuery({ ...view, page: 1, ...part }), { scroll: false }),
    [view, pathname, router],
  );
  return [view, change];
};
