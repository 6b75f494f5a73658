import { describe, expect, it } from 'vitest';
import { follow, generate, startGeneration, usage, type GenerationEvent } from '../support/graphql.js';
import { kill } from '../support/processes.js';
import { settled } from '../support/settled.js';
import { tenantWith } from '../support/stack.js';

/** Long enough that a runner can be killed in the middle of it. */
const TOKENS = 300;

const inputs = [
  { adapter: 'pirate', prompt: 'Tell me about the stars.', sampling: { temperature: 0 } },
  { adapter: 'reply-friendly', prompt: 'I forgot my password.', sampling: { temperature: 0 } },
  {
    adapter: 'sql',
    prompt: 'Table cars(id, brand)\nQuestion: How many cars are there?',
    sampling: { temperature: 0.8, seed: 7 },
  },
  {
    adapter: 'smollm2-135m-instruct',
    prompt: 'Write a story about a lighthouse.',
    sampling: { temperature: 0 },
  },
];

const requestOf = ({ adapter, prompt, sampling }: (typeof inputs)[number]) => ({
  target: adapter,
  messages: [{ role: 'USER', content: prompt }],
  sampling: { ...sampling, maxTokens: TOKENS, ignoreEos: true },
});

const keyOf = (adapter: string) =>
  (adapter.startsWith('smollm2') ? tenantWith('sql') : tenantWith(adapter)).apiKey;

const textOf = (events: GenerationEvent[]) => events.map(({ text }) => text).join('');

/** Follows to the end and calls `atTokens` once that many have come. */
async function collect(
  apiKey: string,
  id: string,
  atTokens: number,
  reached: () => void,
): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  let tokens = 0;
  for await (const event of follow(apiKey, id)) {
    events.push(event);
    if (event.__typename === 'GenerationTokens') tokens += event.tokenCount;
    if (tokens >= atTokens) reached();
  }
  return events;
}

describe('a runner killed mid-stream', () => {
  it('costs no token and repeats none: another finishes where it stood, and each answer is billed once', async () => {
    const undisturbed = await Promise.all(
      inputs.map((input) => generate(keyOf(input.adapter), requestOf(input))),
    );
    const before = await Promise.all(['pirate', 'reply-friendly'].map((adapter) => usage(keyOf(adapter))));

    const started = await Promise.all(
      inputs.map((input) => startGeneration(keyOf(input.adapter), requestOf(input))),
    );
    let reached = 0;
    let killed: Promise<void> | undefined;
    const streams = await Promise.all(
      started.map(({ id }, i) => {
        let counted = false;
        return collect(keyOf(inputs[i]!.adapter), id, 20, () => {
          if (counted) return;
          counted = true;
          // Every one of them is under way, none is near its end.
          if (++reached === inputs.length) killed = kill('runner');
        });
      }),
    );
    expect(killed, 'the runner was killed while all were streaming').toBeDefined();
    await killed;

    streams.forEach((events, i) => {
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      const end = events.at(-1)!;
      expect(end).toMatchObject({
        __typename: 'GenerationEnd',
        finishReason: 'LENGTH',
        completionTokens: TOKENS,
        error: null,
      });
      const tokens = events.reduce(
        (sum, event) => sum + (event.__typename === 'GenerationTokens' ? event.tokenCount : 0),
        0,
      );
      expect(tokens).toBe(TOKENS);
      expect(textOf(events)).toBe(undisturbed[i]!.text);
    });

    // The end of a stream comes before its bill: wait until each is settled, and then that nothing is billed again.
    await Promise.all(started.map(({ id }, i) => settled(keyOf(inputs[i]!.adapter), id)));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const after = await Promise.all(['pirate', 'reply-friendly'].map((adapter) => usage(keyOf(adapter))));
    // Northbeam's: pirate, sql and the base model; Fern & Thistle's: reply-friendly.
    expect(after.map(({ totals }, i) => totals.requests - before[i]!.totals.requests)).toEqual([3, 1]);
    expect(
      after.map(({ totals }, i) => totals.completionTokens - before[i]!.totals.completionTokens),
    ).toEqual([3 * TOKENS, TOKENS]);
  });
});
