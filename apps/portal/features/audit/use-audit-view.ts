'use client';
import { usePathname, useRouter, useSearchParams } from 'next/navigation';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { auditViewQuery, readAuditView, type AuditView } from './audit-view';

export const useAuditView = (): [AuditView, (change: Partial<AuditView>) => void] => {
  const router = useRouter();
  const pathname = usePathname();
  const params = useSearchParams();
  const view = useMemo(() => readAuditView(params), [params]);
  // The address follows a moment later; a change that is made meanwhile is made to what was asked for.
  const asked = useRef(view);
  useEffect(() => void (asked.current = view), [view]);
  const change = useCallback(
    (part: Partial<AuditView>) => {
      asked.current = { ...asked.current, page: 1, ...part };
      router.push(pathname + auditViewQuery(asked.current), { scroll: false });
    },
    [pathname, router],
  );
  return [view, change];
};
