import { expect, it } from 'vitest';
import { groupProblems, kindOf } from '@/features/adapters/problem-kinds';

const problem = (code: string, file = 'adapter_model.safetensors') => ({ code, file, message: `${code}!` });

it('shows a kind newer than the portal by its own sentence', () => {
  expect(kindOf(problem('made_tomorrow')).title).toBe('made_tomorrow!');
  expect(kindOf(problem('tensor_shape')).title).not.toBe('tensor_shape!');
});

it('groups by kind and file, and counts what it leaves out', () => {
  const problems = [
    ...Array.from({ length: 5 }, () => problem('tensor_shape')),
    problem('bad_json', 'adapter_config.json'),
  ];
  const groups = groupProblems(problems, 3);
  expect(groups.map(({ first, more }) => [first.length, more])).toEqual([
    [3, 2],
    [1, 0],
  ]);
});
