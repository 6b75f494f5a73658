import { Code, Stack, Text } from '@mantine/core';
import type { AdapterListFieldsFragment } from '@/lib/api/generated/graphql';

const COMMIT_CHARACTERS = 12;

/** Repository, what of it was asked for, and the commit that this was. */
export const AdapterOrigin = ({ source }: { source: NonNullable<AdapterListFieldsFragment['source']> }) => (
  <Stack gap={0} style={{ overflowWrap: 'anywhere' }}>
    <span>
      {source.repository}
      {source.path && `, folder ${source.path}`}
    </span>
    <Text size="xs" c="dimmed">
      {source.revision}
      {source.commit && source.commit !== source.revision && (
        <>
          , commit{' '}
          <Code fz="xs" title={source.commit}>
            {source.commit.slice(0, COMMIT_CHARACTERS)}
          </Code>
        </>
      )}
    </Text>
  </Stack>
);
