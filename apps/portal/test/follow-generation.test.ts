import { NetworkError } from 'graphql-sse';
import { describe, expect, it } from 'vitest';
import { followGeneration, type GenerationEvent } from '@/lib/api/follow-generation';

const tokens = (seq: number): GenerationEvent => ({
  __typename: 'GenerationTokens',
  seq,
  text: `t${seq} `,
  reasoning: '',
  tokenCount: 1,
});
const end = (seq: number): GenerationEvent => ({
  __typename: 'GenerationEnd',
  seq,
  text: '',
  reasoning: '',
  finishReason: 'STOP',
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: seq - 1,
  reasoningTokens: 0,
  error: null,
});
type Step = GenerationEvent | 'cut' | 'silence' | { status: number } | { refusal: string };

/** Plays one script per connection and notes from where each connection asked. */
const scripted = (...connections: Step[][]) => {
  const asked: number[] = [];
  const iterate = ({ variables }: { variables?: Record<string, unknown> | null }) => {
    asked.push(Number(variables?.['after']));
    const steps = connections.shift() ?? [];
    return (async function* () {
      for (const step of steps) {
        if (step === 'cut') throw new NetworkError('cut');
        if (step === 'silence') await new Promise(() => undefined);
        else if ('status' in step)
          throw new NetworkError({ ok: false, status: step.status, statusText: 'no' } as Response);
        else if ('refusal' in step)
          yield { errors: [{ message: step.refusal, extensions: { code: 'NOT_FOUND' } }] };
        else yield { data: { generationEvents: step } };
      }
    })();
  };
  return { asked, client: { iterate } as never };
};

const collect = async (script: ReturnType<typeof scripted>, signal = new AbortController().signal) => {
  const seen: number[] = [];
  const options = { signal, client: script.client, retryDelaysMs: [1, 1], quietMsMax: 30 };
  for await (const event of followGeneration('id', options)) seen.push(event.seq);
  return seen;
};

describe('followGeneration', () => {
  it('goes on after the last number seen when the connection breaks, without repeats', async () => {
    const script = scripted([tokens(1), tokens(2), 'cut'], [{ status: 502 }], [tokens(2), tokens(3), end(4)]);
    expect(await collect(script)).toEqual([1, 2, 3, 4]);
    expect(script.asked).toEqual([0, 2, 2]);
  });

  it('asks again when a stream completes without an end, or says nothing for too long', async () => {
    const script = scripted([tokens(1)], [tokens(2), 'silence'], [tokens(3), end(4)]);
    expect(await collect(script)).toEqual([1, 2, 3, 4]);
    expect(script.asked).toEqual([0, 1, 2]);
  });

  it('tells a quiet stream from a broken one', async () => {
    const script = scripted([tokens(1), 'silence'], ['silence'], [tokens(2), 'cut'], [end(3)]);
    const told: string[] = [];
    const options = {
      signal: new AbortController().signal,
      client: script.client,
      retryDelaysMs: [1],
      quietMsMax: 30,
      onQuiet: () => told.push('quiet'),
      onReconnect: () => told.push('broken'),
    };
    const seen: number[] = [];
    for await (const { seq } of followGeneration('id', options)) seen.push(seq);
    expect(seen).toEqual([1, 2, 3]);
    expect(told).toEqual(['quiet', 'quiet', 'broken']);
  });

  it('gives up after as many failures in a row as there are delays', async () => {
    const script = scripted(['cut'], ['cut'], ['cut'], [end(1)]);
    await expect(collect(script)).rejects.toThrow('cut');
    expect(script.asked).toHaveLength(3);
  });

  it('does not ask again when refused', async () => {
    const script = scripted([{ refusal: 'no such generation' }], [end(1)]);
    await expect(collect(script)).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'no such generation' });
    const unauthenticated = scripted([{ status: 401 }], [end(1)]);
    await expect(collect(unauthenticated)).rejects.toThrow('401');
    expect([script.asked.length, unauthenticated.asked.length]).toEqual([1, 1]);
  });

  it('ends quietly with its signal', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 10);
    expect(await collect(scripted([tokens(1), 'silence']), stop.signal)).toEqual([1]);
  });
});
