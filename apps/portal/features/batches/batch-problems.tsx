import { Stack, Table, Text } from '@mantine/core';
import { withSeparators } from '@/lib/format/quantity';
import { Section } from '@/ui/section';
import type { BatchDetails } from './batch-page';

/** What is wrong with the file. Nothing of it was run, and nothing is charged. */
export const BatchProblems = ({ problems }: Pick<BatchDetails, 'problems'>) => (
  <Section title="The file was not taken" description="Nothing of it was run, and nothing is charged. Put it right and start another batch.">
    <Stack gap="xs">
      <Table.ScrollContainer minWidth={320}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={80}>Line</Table.Th>
              <Table.Th>Problem</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {problems.map(({ line, message }, index) => (
              <Table.Tr key={index}>
                <Table.Td className="tabular">{line ?? '–'}</Table.Td>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>{withSeparators(message)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {problems.length >= 100 && (
        <Text size="sm" c="dimmed">
          There may be more: only the first are looked for.
        </Text>
      )}
    </Stack>
  </Section>
);
