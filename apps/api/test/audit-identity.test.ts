import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEvents, newest } from './audit-fixtures.js';
import { signUp, startApp, type TestApp, type TestUser } from './harness.js';
import { accept, auth, invite, join, memberId, team, type Team } from './member-fixtures.js';

describe('what is changed through Better Auth', () => {
  let test: TestApp;
  let shop: Team;
  beforeAll(async () => {
    test = await startApp();
    shop = await team(test);
  });
  afterAll(() => test.stop());

  const last = (action: string, as: TestUser = shop.owner) => newest(test, as.cookie, action);
  const of = (action: string) => auditEvents(test, shop.owner.cookie, { action });
  const actionsOf = async (as: TestUser) => (await auditEvents(test, as.cookie)).map(({ action }) => action).reverse();

  it('begins with the tenant', async () => {
    const user = await signUp(test, 'Fern & Thistle');
    expect(await actionsOf(user)).toEqual(['tenant.create', 'user.signIn']);
    const created = await last('tenant.create', user);
    expect(created).toMatchObject({ actor: { type: 'USER', handle: user.email }, resource: { type: 'tenant', label: 'Fern & Thistle', exists: true } });
    expect(created.requestId).not.toBeNull();
    expect(created.ipAddress).not.toBeNull();
    const made = await auth(test, 'organization/create', { name: 'Second' }, user.cookie);
    expect(made.status).toBe(200);
    expect(await actionsOf(user)).toEqual(['tenant.create']);
  });

  it('records a new name once, with the old one', async () => {
    await auth(test, 'organization/update', { data: { name: 'New name' } }, shop.owner.cookie);
    await auth(test, 'organization/update', { data: { name: 'New name' } }, shop.owner.cookie);
    expect((await of('tenant.rename')).map(({ changes }) => changes)).toEqual([[{ field: 'name', before: shop.owner.tenantName, after: 'New name' }]]);
    expect((await auth(test, 'organization/update', { data: { name: 'Not by me' } }, shop.member.cookie)).status).not.toBe(200);
    expect(await of('tenant.rename')).toHaveLength(1);
  });

  it('copies no name that is longer than any', async () => {
    for (const [field, length] of [['name', 121], ['image', 2_049]] as const) {
      const refused = await auth(test, 'update-user', { [field]: 'x'.repeat(length) }, shop.owner.cookie);
      expect(refused).toMatchObject({ status: 400, body: { message: `${field}: expected at most ${length - 1} characters, found ${length}` } });
    }
    expect(await of('user.update')).toEqual([]);
  });

  it('tells one who leaves twice at once, and one who is removed while leaving, as one change', async () => {
    const { id } = shop;
    for (const remove of [false, true]) {
      const leaver = await join(test, shop.owner, 'member');
      const memberIdOrEmail = await memberId(test, shop.owner, leaver);
      const leaving = Array.from({ length: 4 }, () => auth(test, 'organization/leave', { organizationId: id }, leaver.cookie));
      if (remove) leaving.push(auth(test, 'organization/remove-member', { memberIdOrEmail }, shop.owner.cookie));
      expect((await Promise.all(leaving)).every(({ status }) => status < 500)).toBe(true);
      const events = await auditEvents(test, shop.owner.cookie, { action: 'member.remove' });
      expect(events.filter(({ resource }) => resource.label.includes(leaver.email))).toHaveLength(1);
    }
  });

  it('tells new names at once as one after the other', async () => {
    const user = await signUp(test, 'Busy');
    await Promise.all(Array.from({ length: 6 }, (_, index) => auth(test, 'organization/update', { data: { name: `name ${index}` } }, user.cookie)));
    const changes = (await auditEvents(test, user.cookie, { action: 'tenant.rename' })).map((event) => event.changes[0]);
    expect(changes).toHaveLength(6);
    expect(new Set(changes.map((change) => change?.before)).size).toBe(6);
  });

  it('follows an invitation, whichever end it takes', async () => {
    const guest = await signUp(test);
    const first = await invite(test, shop.admin, guest.email, 'member');
    expect(await last('invitation.create')).toMatchObject({
      actor: { handle: shop.admin.email },
      resource: { type: 'invitation', label: guest.email, exists: true },
    });
    expect(JSON.stringify((await last('invitation.create')).changes)).not.toContain(first.body.id);
    await auth(test, 'organization/reject-invitation', { invitationId: first.body.id }, guest.cookie);
    expect(await last('invitation.decline')).toMatchObject({ actor: { handle: guest.email }, changes: [{ field: 'status', before: 'pending', after: 'rejected' }] });

    const second = await invite(test, shop.owner, guest.email, 'member');
    await auth(test, 'organization/cancel-invitation', { invitationId: second.body.id }, shop.owner.cookie);
    expect((await last('invitation.revoke')).resource.exists).toBe(false);

    const third = await invite(test, shop.owner, guest.email, 'admin');
    const before = (await of('invitation.accept')).length;
    await Promise.all([accept(test, guest, third.body.id), accept(test, guest, third.body.id)]);
    expect(await of('invitation.accept')).toHaveLength(before + 1);
    expect(await last('invitation.accept')).toMatchObject({ actor: { handle: guest.email }, resource: { id: third.body.id }, changes: [{ field: 'role', after: 'admin' }] });
  });

  it('records roles, and who goes by whose hand', async () => {
    const [one, two] = [await join(test, shop.owner, 'member'), await join(test, shop.owner, 'member')];
    const id = await memberId(test, shop.owner, one);
    await auth(test, 'organization/update-member-role', { memberId: id, role: 'admin' }, shop.owner.cookie);
    expect(await last('member.updateRole')).toMatchObject({ resource: { id, exists: true }, changes: [{ field: 'role', before: 'member', after: 'admin' }] });
    await auth(test, 'organization/remove-member', { memberIdOrEmail: id }, shop.owner.cookie);
    expect(await last('member.remove')).toMatchObject({ actor: { handle: shop.owner.email }, resource: { exists: false } });
    await auth(test, 'organization/leave', { organizationId: shop.id }, two.cookie);
    expect((await last('member.remove')).actor.handle).toBe(two.email);
  });

  it('leaves nothing of what the database refused: the last owner stays', async () => {
    const before = (await auditEvents(test, shop.owner.cookie)).length;
    const id = await memberId(test, shop.owner, shop.owner);
    expect((await auth(test, 'organization/update-member-role', { memberId: id, role: 'member' }, shop.owner.cookie)).status).toBe(400);
    expect(await auditEvents(test, shop.owner.cookie)).toHaveLength(before);
  });

  it('records sign-ins, failed ones, sign-outs and passwords, none of which it repeats', async () => {
    const user = await signUp(test);
    const wrong = `wrong-${randomUUID()}`;
    await auth(test, 'sign-in/email', { email: user.email, password: wrong });
    await auth(test, 'sign-in/email', { email: 'nobody@example.test', password: wrong });
    const password = `changed-${randomUUID()}`;
    await auth(test, 'change-password', { currentPassword: user.password, newPassword: password }, user.cookie);
    await auth(test, 'update-user', { name: 'Renamed' }, user.cookie);
    const peer = await auth(test, 'sign-in/email', { email: user.email, password });
    expect(peer.status).toBe(200);
    const events = await auditEvents(test, user.cookie);
    expect(events.map(({ action }) => action).reverse()).toEqual(['tenant.create', 'user.signIn', 'user.signInFailed', 'user.changePassword', 'user.update', 'user.signIn']);
    expect(JSON.stringify(events)).not.toMatch(new RegExp(`${wrong}|${password}|${user.password}`));
    expect(events.find(({ action }) => action === 'user.update')?.changes).toEqual([{ field: 'name', before: 'Test User', after: 'Renamed' }]);
    await auth(test, 'revoke-other-sessions', {}, user.cookie);
    expect((await last('user.signOut', user)).resource.label).toBe(`Renamed (${user.email})`);
  });
});
