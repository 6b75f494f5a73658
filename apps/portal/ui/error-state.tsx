import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react';

interface Props {
  title?: string;
  message: string;
  onRetry?: () => void;
}

/** Something could not be shown: why, and a way to try again. */
export const ErrorState = ({ title = 'This could not be loaded', message, onRetry }: Props) => (
  <Alert color="red" variant="light" icon={<IconAlertTriangle />} title={title} role="alert">
    <Group justify="space-between" align="center" gap="md">
      <Text size="sm" flex={1} miw="14rem">
        {message}
      </Text>
      {onRetry && (
        <Button
          size="xs"
          color="red"
          variant="light"
          leftSection={<IconRefresh size={14} />}
          onClick={onRetry}
        >
          Try again
        </Button>
      )}
    </Group>
  </Alert>
);
