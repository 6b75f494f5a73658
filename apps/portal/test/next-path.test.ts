import { expect, it } from 'vitest';
import { safeNextPath } from '@/features/session/next-path';

it.each([
  ['/usage?range=7', '/usage?range=7'],
  [null, '/'],
  ['https://evil.example', '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['/sign-in?next=/x', '/'],
  ['/sign-instead', '/sign-instead'],
])('goes from %j to %j', (next, path) => expect(safeNextPath(next)).toBe(path));
