'use client';
import { Alert, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { CopyButton } from '@/ui/copy-button';

/** The one time a key's secret is seen: the API keeps only a hash of it. */
export const SecretView = ({
  name,
  secret,
  onDone,
}: {
  name: string;
  secret: string;
  onDone: () => void;
}) => (
  <Stack>
    <Alert color="amber" icon={<IconAlertTriangle />} title="Copy this key now">
      It is shown this once. If it is lost, rotate the key.
    </Alert>
    <div>
      <Text size="sm" fw={500} mb={4} style={{ overflowWrap: 'anywhere' }}>
        {name}
      </Text>
      <Code
        block
        aria-label="API key secret"
        data-testid="api-key-secret"
        style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}
      >
        {secret}
      </Code>
    </div>
    <Group justify="space-between">
      <CopyButton value={secret} what="key" withLabel />
      <Button variant="default" onClick={onDone}>
        I have stored it
      </Button>
    </Group>
  </Stack>
);
