import { Code, Group, Paper, Stack, Text } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { withSeparators } from '@/lib/format/quantity';
import { groupProblems, type ProblemGroup } from './problem-kinds';
import classes from './problem-list.module.css';

type Problem = AdapterDetailFieldsFragment['problems'][number];

const SHOWN_OF_A_KIND = 3;

const Facts = ({ problem }: { problem: Problem }) => (
  <dl className={classes.facts}>
    <dt>File</dt>
    <dd>
      <Code>{problem.file}</Code>
    </dd>
    {problem.path && (
      <>
        <dt>{problem.file.endsWith('.json') ? 'Field' : 'Tensor'}</dt>
        <dd>
          <Code>{problem.path}</Code>
        </dd>
      </>
    )}
    <dt>Found</dt>
    <dd>{withSeparators(problem.found) || 'nothing'}</dd>
    <dt>Expected</dt>
    <dd>{withSeparators(problem.expected)}</dd>
  </dl>
);

const GroupCard = ({ group }: { group: ProblemGroup<Problem> }) => (
  <Paper p="md" component="li" radius="md">
    <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
      {group.kind.title}
    </Text>
    {group.first.map((problem, index) => (
      <Facts key={`${problem.path}:${index}`} problem={problem} />
    ))}
    {group.more > 0 && (
      <Text size="sm" c="dimmed" mt="xs">
        and {group.more} more like this
      </Text>
    )}
    <Group gap={6} mt="sm" wrap="nowrap" align="flex-start" c="var(--aril-accent-text)">
      <IconArrowRight size={16} style={{ marginTop: 3, flexShrink: 0 }} aria-hidden />
      <Text size="sm">{group.kind.advice}</Text>
    </Group>
  </Paper>
);

/** Every kind of reason for a refusal: where, what was found, what was expected, and what to do. */
export const ProblemList = ({ problems }: { problems: Problem[] }) => (
  <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Problems">
    {groupProblems(problems, SHOWN_OF_A_KIND).map((group) => (
      <GroupCard key={`${group.first[0]?.code} ${group.first[0]?.file}`} group={group} />
    ))}
  </Stack>
);
