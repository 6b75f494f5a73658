'use client';
import { Alert, Button, Code, Group, SimpleGrid, Stack } from '@mantine/core';
import { IconAlertTriangle, IconDownload } from '@tabler/icons-react';
import { CopyButton } from '@/ui/copy-button';

/** The one time that backup codes are seen. */
export const BackupCodes = ({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) => {
  const text = codes.join('\n');
  return (
    <Stack>
      <Alert color="amber" icon={<IconAlertTriangle />} title="Store these backup codes now">
        They are shown this once. Each signs you in once in place of your app, for when it is lost.
      </Alert>
      <SimpleGrid cols={2} spacing="xs" component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Backup codes">
        {codes.map((code) => (
          <li key={code}>
            <Code block ta="center">
              {code}
            </Code>
          </li>
        ))}
      </SimpleGrid>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <CopyButton value={text} what="codes" withLabel />
          <Button
            component="a"
            href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${text}\n`)}`}
            download="aril-backup-codes.txt"
            variant="light"
            leftSection={<IconDownload size={16} aria-hidden />}
          >
            Download
          </Button>
        </Group>
        <Button variant="default" ml="auto" onClick={onDone}>
          I have stored them
        </Button>
      </Group>
    </Stack>
  );
};
