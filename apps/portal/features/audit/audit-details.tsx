'use client';
import { Code, Group, Stack, Table, Text } from '@mantine/core';
import { formatDateTime } from '@/lib/format/time';
import { CopyButton } from '@/ui/copy-button';
import { DefinitionList } from '@/ui/definition-list';
import { fieldLabel, valueText, type AuditEvent } from './audit-words';
import classes from './audit-details.module.css';

/** What a change was, field by field, and where it came from. */
export const AuditDetails = ({ event }: { event: AuditEvent }) => {
  const { changes, actor, action, createdAt, requestId, ipAddress, userAgent } = event;
  return (
    <Stack gap="md" className={classes.details}>
      {changes.length > 0 && <Changes changes={changes} />}
      <DefinitionList
        items={[
          { term: 'Time', value: formatDateTime(createdAt) },
          { term: 'By', value: actor.handle ? `${actor.name} (${actor.handle})` : actor.name },
          { term: 'Action', value: <Code>{action}</Code> },
          ...(ipAddress ? [{ term: 'Address', value: ipAddress }] : []),
          ...(userAgent ? [{ term: 'Program', value: <span className={classes.value}>{userAgent}</span> }] : []),
          ...(requestId ? [{ term: 'Request', value: <RequestId id={requestId} /> }] : []),
        ]}
      />
    </Stack>
  );
};

const SIDES = [
  { side: 'before', label: 'Before' },
  { side: 'after', label: 'After' },
] as const;

/**
 * What came to be has no before, what went no after: a side without any value is left out. On a phone each change is a
 * block of its own, as values are long there.
 */
const Changes = ({ changes }: Pick<AuditEvent, 'changes'>) => {
  const sides = SIDES.filter(({ side }) => changes.some((change) => valueText(change[side]) !== null));
  return (
    <Table className={classes.changes} layout="fixed" withRowBorders>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Field</Table.Th>
          {sides.map(({ side, label }) => (
            <Table.Th key={side}>{label}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {changes.map((change) => (
          <Table.Tr key={change.field}>
            <Table.Th scope="row">{fieldLabel(change.field)}</Table.Th>
            {sides.map(({ side, label }) => (
              <Table.Td key={side} data-label={label}>
                <Value value={change[side]} />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
};

const Value = ({ value }: { value: unknown }) => {
  const text = valueText(value);
  return text === null ? (
    <Text span size="sm" c="dimmed">
      none
    </Text>
  ) : (
    <span className={classes.value}>{text}</span>
  );
};

const RequestId = ({ id }: { id: string }) => (
  <Group gap={4} wrap="nowrap" component="span">
    <Text span ff="monospace" size="xs" className={classes.value}>
      {id}
    </Text>
    <CopyButton value={id} what="request id" />
  </Group>
);
