import { Grid, Text } from '@mantine/core';
import { UsageTotals } from '@/features/usage/usage-totals';
import type { StatementQuery } from '@/lib/api/generated/graphql';
import { formatBilledUsd } from '@/lib/format/money';
import { formatUtcDate } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { DefinitionList } from '@/ui/definition-list';
import { Section } from '@/ui/section';
import { ROUNDING } from './rounding';

type Statement = StatementQuery['statement'];

export const StatementFacts = ({ statement }: { statement: Statement }) => {
  const { amount, totals } = statement;
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 6 }}>
        <UsageTotals totals={totals} amount={formatBilledUsd(amount)} amountHint={ROUNDING} square />
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 6 }}>
        <Section title="Billed to" h="100%">
          <DefinitionList items={facts(statement)} />
        </Section>
      </Grid.Col>
    </Grid>
  );
};

function facts({ billTo, number, issuedAt, contentSha256 }: Statement) {
  const optional = [
    { term: 'Address', value: <span style={{ whiteSpace: 'pre-line' }}>{billTo.address}</span>, given: billTo.address },
    { term: 'Tax id', value: billTo.taxId, given: billTo.taxId },
    { term: 'E-mail', value: billTo.email, given: billTo.email },
    { term: 'Number', value: number, given: number },
    { term: 'Issued', value: issuedAt && formatUtcDate(issuedAt), given: issuedAt },
    { term: 'Content SHA‑256', value: contentSha256 && <Hash value={contentSha256} />, given: contentSha256 },
  ];
  return [{ term: 'Name', value: billTo.legalName || billTo.tenantName }, ...optional.filter(({ given }) => given)];
}

const Hash = ({ value }: { value: string }) => (
  <>
    <Text span ff="monospace" size="xs">
      {value.slice(0, 16)}…
    </Text>{' '}
    <CopyButton value={value} what="content hash" />
  </>
);
