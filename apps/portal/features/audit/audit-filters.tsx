'use client';
import { Button, Group, Select } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import type { AuditChoicesQuery } from '@/lib/api/generated/graphql';
import { actorKey, ANYTHING, isNarrowed, type AuditView } from './audit-view';
import { DayField } from './day-field';

interface Props {
  view: AuditView;
  onChange: (change: Partial<AuditView>) => void;
  actions: AuditChoicesQuery['auditActions'];
  actors: AuditChoicesQuery['tenant']['auditActors'];
  problem: string | null;
}

export const AuditFilters = ({ view, onChange, actions, actors, problem }: Props) => (
  <Group mb="md" gap="sm" align="flex-end">
    <Select
      label="Who"
      placeholder="Anybody"
      data={actors.map((actor) => ({ value: actorKey(actor), label: actor.handle ? `${actor.name} (${actor.handle})` : actor.name }))}
      value={view.actor || null}
      onChange={(actor) => onChange({ actor: actor ?? '' })}
      clearable
      searchable
      nothingFoundMessage="Nobody of that name"
      flex="1 1 12rem"
    />
    <Select
      label="What"
      placeholder="Anything"
      data={actions.map(({ name, label }) => ({ value: name, label }))}
      value={view.action || null}
      onChange={(action) => onChange({ action: action ?? '' })}
      clearable
      searchable
      nothingFoundMessage="No such change"
      flex="1 1 12rem"
    />
    <Group gap="sm" align="flex-start" wrap="nowrap" grow flex="1 1 19rem">
      <DayField label="First day (UTC)" value={view.first} error={problem} onDay={(first) => onChange({ first })} />
      <DayField label="Last day (UTC)" value={view.last} error={problem !== null} onDay={(last) => onChange({ last })} />
    </Group>
    {isNarrowed(view) && (
      <Button variant="subtle" leftSection={<IconX size={14} aria-hidden />} onClick={() => onChange(ANYTHING)}>
        Show all
      </Button>
    )}
  </Group>
);
