'use client';
import { Button, Group, Paper, Text, Textarea } from '@mantine/core';
import { IconPlayerStop, IconSend } from '@tabler/icons-react';
import type { KeyboardEvent } from 'react';
import { useDraft } from '@/features/session/use-draft';

interface Props {
  busy: boolean;
  disabled: boolean;
  compare: boolean;
  /** Resolves with whether the service took the message; if not, it stays to be sent again. */
  onSend: (prompt: string) => Promise<boolean>;
  onStop: () => void;
}

export const Composer = ({ busy, disabled, compare, onSend, onStop }: Props) => {
  const [draft, setDraft] = useDraft('playground');
  const ready = !busy && !disabled && draft.trim() !== '';
  const send = async (): Promise<void> => {
    if (!ready) return;
    const sent = draft;
    // What was typed meanwhile is another message, and stays.
    if (await onSend(sent.trim())) setDraft((now) => (now === sent ? '' : now));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  return (
    <Paper p="sm">
      <Textarea
        aria-label="Message"
        placeholder={compare ? 'Ask both …' : 'Ask something …'}
        variant="unstyled"
        autosize
        minRows={2}
        maxRows={10}
        value={draft}
        onChange={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        styles={{ input: { paddingInline: 'var(--mantine-spacing-xs)' } }}
      />
      <Group justify="space-between" mt={4}>
        <Text size="xs" c="dimmed" visibleFrom="sm" pl="xs">
          Enter sends, Shift + Enter breaks the line
        </Text>
        {busy ? (
          <Button
            color="gray"
            variant="light"
            leftSection={<IconPlayerStop size={16} />}
            onClick={onStop}
            ml="auto"
          >
            Stop
          </Button>
        ) : (
          <Button leftSection={<IconSend size={16} />} onClick={() => void send()} disabled={!ready} ml="auto">
            Send
          </Button>
        )}
      </Group>
    </Paper>
  );
};
