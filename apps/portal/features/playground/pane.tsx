'use client';
import { Group, Paper, Stack, Text } from '@mantine/core';
import { IconMessageCircle } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { EmptyState } from '@/ui/empty-state';
import { ReplyView } from './reply-view';
import { TargetSelect } from './target-select';
import type { Turn } from './turn';
import classes from './playground.module.css';

/** Distance from the bottom within which the reader is taken to be following along. */
const FOLLOW_PX = 80;

interface Props {
  label: string;
  target: string | null;
  onTarget: (target: string) => void;
  turns: Turn[];
}

/** One conversation: which target answers, and what was said. */
export const Pane = ({ label, target, onTarget, turns }: Props) => {
  const transcript = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const onScroll = (): void => {
    const element = transcript.current;
    if (element)
      following.current = element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOW_PX;
  };
  useEffect(() => {
    const element = transcript.current;
    if (element && following.current) element.scrollTop = element.scrollHeight;
  }, [turns]);

  return (
    <Paper className={classes.pane} component="section" aria-label={label}>
      <Group p="sm" className={classes.paneHead} wrap="nowrap">
        <TargetSelect label={`${label}: target`} value={target} onChange={onTarget} />
      </Group>
      <div
        ref={transcript}
        onScroll={onScroll}
        className={classes.transcript}
        role="log"
        aria-label={`${label}: conversation`}
        tabIndex={0}
      >
        {turns.length === 0 ? (
          <EmptyState
            icon={<IconMessageCircle />}
            title={target ? `Say something to ${target}` : 'Choose a target'}
          >
            Answers stream in as they are generated, and are billed like any other call.
          </EmptyState>
        ) : (
          <Stack gap="lg">
            {turns.map(({ id, prompt, reply }) => (
              <Stack key={id} gap="sm">
                <Text className={classes.prompt} component="div">
                  {prompt}
                </Text>
                <ReplyView reply={reply} />
              </Stack>
            ))}
          </Stack>
        )}
      </div>
    </Paper>
  );
};
