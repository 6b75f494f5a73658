import { Code, Group, Paper, Stack, Text } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { adviceFor } from './problem-advice';
import classes from './problem-list.module.css';

type Problem = AdapterDetailFieldsFragment['problems'][number];

/** Beyond this many a list helps nobody: one wrong base model makes every tensor a problem. */
const SHOWN_MAX = 20;

const ProblemCard = ({ problem }: { problem: Problem }) => (
  <Paper p="md" component="li" radius="md">
    <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
      {problem.message}
    </Text>
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
      <dd>{problem.found || 'nothing'}</dd>
      <dt>Expected</dt>
      <dd>{problem.expected}</dd>
    </dl>
    <Group gap={6} mt="xs" wrap="nowrap" align="flex-start" c="var(--aril-accent-text)">
      <IconArrowRight size={16} style={{ marginTop: 3, flexShrink: 0 }} aria-hidden />
      <Text size="sm">{adviceFor(problem.code)}</Text>
    </Group>
  </Paper>
);

/** Every reason for a refusal: where, what was found, what was expected, and what to do. */
export const ProblemList = ({ problems }: { problems: Problem[] }) => (
  <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Problems">
    {problems.slice(0, SHOWN_MAX).map((problem, index) => (
      <ProblemCard key={`${problem.code}:${problem.path}:${index}`} problem={problem} />
    ))}
    {problems.length > SHOWN_MAX && (
      <Text size="sm" c="dimmed" component="li">
        and {problems.length - SHOWN_MAX} more
      </Text>
    )}
  </Stack>
);
