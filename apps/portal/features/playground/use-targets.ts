'use client';
import { useSearchParams } from 'next/navigation';
import { useEffect, useState } from 'react';
import { AdaptersDocument, BaseModelsDocument } from '@/lib/api/documents/adapters';
import { useApiQuery } from '@/lib/api/use-api-query';

type Targets = [string | null, string | null];

/** The targets of both sides: from the address first, else the newest adapter against its base model. */
export const useTargets = () => {
  const params = useSearchParams();
  const [targets, setTargets] = useState<Targets>([params.get('target'), params.get('compare')]);
  const [compare, setCompare] = useState(params.has('compare'));
  const adapters = useApiQuery(
    AdaptersDocument,
    { first: 1, after: null, status: 'READY', search: null },
    { types: ['Adapter'] },
  );
  const models = useApiQuery(BaseModelsDocument, {});

  const model = models.data?.baseModels[0]?.id ?? null;
  const newest = adapters.data ? (adapters.data.tenant.adapters.nodes[0]?.slug ?? model) : null;
  useEffect(() => {
    setTargets(([first, second]) => [first ?? newest, second ?? model]);
  }, [newest, model]);

  const choose = (side: 0 | 1, target: string): void =>
    setTargets(([first, second]) => (side === 0 ? [target, second] : [first, target]));
  const contexts = models.data?.baseModels.map(({ contextTokens }) => contextTokens) ?? [];
  const contextTokensMax = contexts.length > 0 ? Math.max(...contexts) : null;
  return { targets, choose, compare, setCompare, contextTokensMax };
};
