import { expect, it } from 'vitest';
import { SpeedMeter } from '@/features/playground/speed-meter';
import { newReply, toMessages, type Turn } from '@/features/playground/turn';

const turn = (prompt: string, text: string): Turn => ({
  id: prompt,
  prompt,
  reply: { ...newReply('t'), text },
});

it('gives the model the conversation without turns that brought nothing', () => {
  expect(toMessages('  be kind ', [turn('a', 'A'), turn('b', '')], 'c')).toEqual([
    { role: 'SYSTEM', content: 'be kind' },
    { role: 'USER', content: 'a' },
    { role: 'ASSISTANT', content: 'A' },
    { role: 'USER', content: 'c' },
  ]);
});

it('gives the model its thoughts back beside what it answered, and none of a turn that ended in them', () => {
  const thought = (prompt: string, text: string): Turn => {
    const { reply, ...said } = turn(prompt, text);
    return { ...said, reply: { ...reply, reasoning: 'hm' } };
  };
  expect(toMessages('', [thought('a', 'A'), thought('b', '')], 'c')).toEqual([
    { role: 'USER', content: 'a' },
    { role: 'ASSISTANT', content: 'A', reasoning: 'hm' },
    { role: 'USER', content: 'c' },
  ]);
});

it('measures the rate after the first token, and the wait before it', () => {
  let now = 1_000;
  const meter = new SpeedMeter(now, () => now);
  expect(meter.ttftMs).toBeNull();
  now = 1_250;
  meter.saw(1);
  expect(meter.tokensPerSecond).toBeNull();
  now = 2_250;
  meter.saw(30);
  meter.saw(0);
  expect([meter.ttftMs, meter.tokensPerSecond, meter.tokenCount]).toEqual([250, 30, 31]);
});

it('tells no rate of tokens that came all at once, as a network hands them on after a pause', () => {
  let now = 1_000;
  const meter = new SpeedMeter(now, () => now);
  meter.saw(1);
  now += 2;
  meter.saw(8);
  expect(meter.tokensPerSecond).toBeNull();
});
