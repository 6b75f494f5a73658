'use client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { randomId } from '@/lib/random-id';
import { ReplyRun } from './run-reply';
import { toConstraint, toSampling, type Settings } from './settings';
import { newReply, toMessages, type Reply, type Turn } from './turn';

/** One side of the playground: a conversation with whatever target is chosen when something is said. */
export const useConversation = () => {
  const client = useClient();
  const [turns, setTurns] = useState<Turn[]>([]);
  const running = useRef<ReplyRun | null>(null);
  // A deployment answers a conversation by one variant, as it would one user; a new one may get another.
  const [routingKey, setRoutingKey] = useState(randomId);

  const send = useCallback(
    (target: string, prompt: string, settings: Settings): Promise<boolean> => {
      const id = randomId();
      const change = (part: Partial<Reply>): void =>
        setTurns((before) =>
          before.map((turn) => (turn.id === id ? { ...turn, reply: { ...turn.reply, ...part } } : turn)),
        );
      const run = new ReplyRun(client, change);
      running.current = run;
      const messages = toMessages(settings.system, turns, prompt);
      setTurns([...turns, { id, prompt, reply: newReply(target) }]);
      return run.run({ target, routingKey, messages, sampling: toSampling(settings), ...toConstraint(settings) });
    },
    [client, turns, routingKey],
  );

  const stop = useCallback(() => running.current?.stop(), []);
  const clear = useCallback(() => {
    running.current?.abandon();
    setTurns([]);
    setRoutingKey(randomId());
  }, []);

  // Nobody is left to read an answer when the page is left: what is not generated is not billed.
  useEffect(() => () => running.current?.abandon(), []);

  const last = turns.at(-1)?.reply.state;
  return { turns, busy: last === 'waiting' || last === 'streaming', send, stop, clear };
};
