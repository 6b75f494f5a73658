import { expect, it } from 'vitest';
import { keysHeldTo } from '@/features/targets/held-keys';

const target = (id: string) => ({ id, kind: 'ADAPTER' as const, target: id });

it('names the keys that a target is taken from, and those that it leaves with nothing', () => {
  const keys = [
    { name: 'all', targets: null },
    { name: 'nothing', targets: [] },
    { name: 'only it', targets: [target('a')] },
    { name: 'it too', targets: [target('a'), target('b')] },
    { name: 'another', targets: [target('b')] },
  ];
  expect(keysHeldTo('a', keys)).toEqual([
    { name: 'only it', last: true },
    { name: 'it too', last: false },
  ]);
});
