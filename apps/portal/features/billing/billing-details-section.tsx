'use client';
import { Skeleton } from '@mantine/core';
import { useSession } from '@/features/session/session-context';
import { BillingDetailsDocument } from '@/lib/api/documents/billing';
import { useApiQuery } from '@/lib/api/use-api-query';
import { DefinitionList } from '@/ui/definition-list';
import { ErrorState } from '@/ui/error-state';
import { Section } from '@/ui/section';
import { BillingDetailsForm } from './billing-details-form';

/** Owners and admins change them; everyone sees whom statements are addressed to. */
export const BillingDetailsSection = () => {
  const { tenant, viewer } = useSession();
  const role = tenant.members.find(({ user }) => user.id === viewer.id)?.role;
  const { data, error, reload } = useApiQuery(BillingDetailsDocument, {}, { types: ['BillingDetails'] });
  const details = data?.tenant.billingDetails;
  const editable = role === 'OWNER' || role === 'ADMIN';
  return (
    <Section
      title="Billing details"
      description={
        editable
          ? 'Printed on statements to come; those already issued keep what they were issued with.'
          : 'Owners and admins of the workspace change them.'
      }
    >
      {error && !details ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : !details ? (
        <Skeleton height={160} />
      ) : editable ? (
        <BillingDetailsForm details={details} tenantName={tenant.name} />
      ) : (
        <DefinitionList
          items={[
            { term: 'Legal name', value: details.legalName || tenant.name },
            { term: 'Address', value: details.address || '–' },
            { term: 'Tax id', value: details.taxId || '–' },
            { term: 'E-mail', value: details.email || '–' },
          ]}
        />
      )}
    </Section>
  );
};
