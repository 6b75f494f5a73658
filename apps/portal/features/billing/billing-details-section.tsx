'use client';
import { Skeleton } from '@mantine/core';
import { useManages } from '@/features/session/use-manages';
import { useSession } from '@/features/session/session-context';
import { BillingDetailsDocument } from '@/lib/api/documents/billing';
import { useApiQuery } from '@/lib/api/use-api-query';
import { DefinitionList } from '@/ui/definition-list';
import { ErrorState } from '@/ui/error-state';
import { Section } from '@/ui/section';
import { BillingDetailsForm } from './billing-details-form';

/** Owners and admins change them; everyone sees whom statements are addressed to. */
export const BillingDetailsSection = () => {
  const { tenant } = useSession();
  const manages = useManages();
  const { data, error, reload } = useApiQuery(BillingDetailsDocument, {}, { types: ['BillingDetails'] });
  const details = data?.tenant.billingDetails;
  return (
    <Section
      title="Billing details"
      description={
        manages
          ? 'Printed on statements to come; those already issued keep what they were issued with.'
          : 'Owners and admins of the workspace change them.'
      }
    >
      {error && !details ? (
        <ErrorState message={error.message} onRetry={reload} />
      ) : !details ? (
        <Skeleton height={160} />
      ) : manages ? (
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
