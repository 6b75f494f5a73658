'use client';
import { Button, Skeleton, Stack } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useManages } from '@/features/session/use-manages';
import { LimitsDocument, UpdateTenantLimitsDocument } from '@/lib/api/documents/limits';
import type { LimitsInput } from '@/lib/api/generated/graphql';
import { useApiMutation } from '@/lib/api/use-api-mutation';
import { useApiQuery } from '@/lib/api/use-api-query';
import { formatCount } from '@/lib/format/quantity';
import { DefinitionList } from '@/ui/definition-list';
import { ErrorState } from '@/ui/error-state';
import { Section } from '@/ui/section';
import { BudgetBar } from './budget-bar';
import { LimitsModal } from './limits-modal';
import { toValues } from './limit-values';

const TITLE = 'Limits and budget';
const shown = (limit: number | null): string => (limit === null ? 'No limit' : formatCount(limit));

/** What the workspace may use, all its keys and people together. */
export const LimitsSection = () => {
  const { data, error, reload } = useApiQuery(LimitsDocument, {}, { types: ['Tenant', 'Generation'] });
  const [update] = useApiMutation(UpdateTenantLimitsDocument);
  const [editing, edit] = useDisclosure(false);
  const manages = useManages();
  if (!data && error) {
    return (
      <Section title={TITLE}>
        <ErrorState message={error.message} onRetry={reload} />
      </Section>
    );
  }
  if (!data) return <Skeleton height={260} radius="lg" aria-label="Loading the limits" />;
  const { limits, budget, limitCeilings } = data.tenant;
  const save = async (input: LimitsInput) => (await update({ input })).error;
  return (
    <Section
      title={TITLE}
      description={`For the whole workspace. ${manages ? 'A key can have tighter ones of its own.' : 'Owners and admins change them.'}`}
      actions={
        manages && (
          <Button variant="default" size="xs" onClick={edit.open} aria-label={`Edit ${TITLE.toLowerCase()}`}>
            Edit
          </Button>
        )
      }
    >
      <Stack gap="lg">
        <BudgetBar budget={budget} />
        <DefinitionList
          items={[
            { term: 'Requests per minute', value: shown(limits.requestsPerMinute) },
            { term: 'Tokens per minute', value: shown(limits.tokensPerMinute) },
            { term: 'Requests at once', value: shown(limits.parallelRequests) },
          ]}
        />
      </Stack>
      <LimitsModal
        opened={editing}
        title={TITLE}
        description="They hold from the next request on. An empty field is no limit."
        initial={toValues(limits, budget)}
        ceilings={limitCeilings}
        onSave={save}
        onClose={edit.close}
      />
    </Section>
  );
};
