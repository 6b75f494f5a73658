'use client';
import { Group, Loader, Text } from '@mantine/core';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount, formatDurationMs } from '@/lib/format/quantity';
import { CopyButton } from '@/ui/copy-button';
import { ReplyError } from './reply-error';
import { Thoughts } from './thoughts';
import type { Reply } from './turn';
import classes from './playground.module.css';

const ENDINGS: Partial<Record<string, string>> = { LENGTH: 'cut at max tokens', CANCELLED: 'stopped' };

const LINKS = {
  broken: 'The connection broke; taking it up again …',
  quiet: 'Still waiting for an answer; the service may be busy …',
};

const Facts = ({ reply }: { reply: Reply }) => {
  const facts = [
    reply.promptTokens !== null && `${formatCount(reply.promptTokens)} in`,
    reply.cachedTokens > 0 && `${formatCount(reply.cachedTokens)} cached`,
    reply.completionTokens > 0 && `${formatCount(reply.completionTokens)} out`,
    reply.reasoningTokens > 0 && `${formatCount(reply.reasoningTokens)} of them thoughts`,
    reply.tokensPerSecond !== null && `${reply.tokensPerSecond.toFixed(1)} tokens/s`,
    reply.ttftMs !== null && `first token ${formatDurationMs(reply.ttftMs)}`,
    reply.amount !== null && formatNanoUsd(reply.amount),
    reply.finishReason && ENDINGS[reply.finishReason],
  ].filter((fact): fact is string => Boolean(fact));
  return (
    <Text size="xs" c="dimmed" className="tabular" aria-label="Statistics">
      {facts.join(' · ')}
    </Text>
  );
};

export const ReplyView = ({ reply }: { reply: Reply }) => {
  const running = reply.state === 'waiting' || reply.state === 'streaming';
  return (
    <div
      className={classes.reply}
      data-state={reply.state}
      role="article"
      aria-label={`Answer of ${reply.target}`}
      aria-busy={running}
    >
      <Text size="xs" fw={600} c="var(--aril-accent-text)" mb={2}>
        {reply.target}
        {reply.variant && reply.variant !== reply.target && ` → ${reply.variant}`}
      </Text>
      {reply.state === 'waiting' && <Loader type="dots" size="sm" aria-label="Waiting for the first token" />}
      {reply.reasoning && <Thoughts text={reply.reasoning} thinking={running && !reply.text} />}
      {reply.text && (
        <div className={classes.text}>
          {reply.text}
          {reply.state === 'streaming' && <span className={classes.caret} aria-hidden />}
        </div>
      )}
      {reply.state === 'finished' && !reply.text && (
        <Text size="sm" c="dimmed" fs="italic">
          {reply.reasoning ? 'There is no answer after the thoughts.' : 'The answer is empty.'}
        </Text>
      )}
      {running && reply.link !== 'up' && (
        <Text size="xs" c={reply.link === 'broken' ? 'amber' : 'dimmed'} role="status">
          {LINKS[reply.link]}
        </Text>
      )}
      {reply.error && <ReplyError error={reply.error} />}
      <Group gap={4} mt={4} mih={28} wrap="nowrap">
        <Facts reply={reply} />
        {!running && reply.text && <CopyButton value={reply.text} what="answer" />}
      </Group>
    </div>
  );
};
