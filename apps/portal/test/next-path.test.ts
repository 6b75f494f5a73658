import { expect, it } from 'vitest';
import { authHref, isInvitationPath, safeNextPath } from '@/features/session/next-path';

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

it('takes the way on along from sign-in to sign-up', () => {
  expect(authHref('/sign-up', '/')).toBe('/sign-up');
  expect(authHref('/sign-up', '/invitations/1')).toBe('/sign-up?next=%2Finvitations%2F1');
  expect([isInvitationPath('/invitations/1'), isInvitationPath('/invitationsettings')]).toEqual([true, false]);
});
