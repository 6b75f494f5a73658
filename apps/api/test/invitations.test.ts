import { randomUUID } from 'node:crypto';
import { withClient } from '@aril/local-services';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTenant, type Credentials, data, graphql, signUp, startApp, type TestApp } from './harness.js';
import { accept, auth, invite, join, memberId, rolesOf, team, type Team, tenantOf } from './member-fixtures.js';
import { mailServer } from './mail-server.js';

const LIST = '{ tenant { invitations { id email role inviter { email } } } }';
const PREVIEW = 'query ($id: ID!) { invitation(id: $id) { state tenantName inviterName role emailHint } }';
const address = (): string => `guest-${randomUUID()}@example.test`;

interface Listed {
  tenant: { invitations: { id: string; email: string; role: string }[] };
}

describe('invitations', () => {
  let test: TestApp;
  let shop: Team;
  beforeAll(async () => {
    test = await startApp();
    shop = await team(test);
  });
  afterAll(() => test.stop());

  const list = async (credentials: Credentials) => (await data(graphql<Listed>(test, credentials, LIST))).tenant.invitations;
  const preview = async (id: string) =>
    (await data(graphql<{ invitation: { state: string } | null }>(test, {}, PREVIEW, { id }))).invitation;
  const expire = (id: string) =>
    withClient(test.ownerUrl, (client) => client.query("UPDATE invitations SET expires_at = now() - interval '1 minute' WHERE id = $1", [id]));

  describe('inviting', () => {
    it.each([
      ['an e-mail address that is none', { email: 'nonsense', role: 'member' }, 400],
      ['an e-mail address longer than any', { email: `${'x'.repeat(3_000)}@example.test`, role: 'member' }, 400],
      ['a role that there is not', { email: 'a@example.test', role: 'root' }, 400],
      // Better Auth itself takes the untrimmed second role for none of its own.
      ['two roles at once', { email: 'a@example.test', role: 'member, owner' }, 400],
      ['a list of roles', { email: 'a@example.test', role: ['member', 'owner'] }, 400],
      ['a tenant that cannot be', { email: 'a@example.test', role: 'member', organizationId: 'x' }, 400],
    ])('refuses %s', async (_, body, status) => {
      expect((await auth(test, 'organization/invite-member', body, shop.owner.cookie)).status).toBe(status);
    });

    it.each([
      ['owner', { owner: 200, admin: 200, member: 200 }],
      ['admin', { owner: 403, admin: 403, member: 200 }],
      ['member', { owner: 403, admin: 403, member: 403 }],
    ] as const)('%s: may invite as their role allows', async (by, expected) => {
      for (const [role, status] of Object.entries(expected)) {
        expect([role, (await invite(test, shop[by], address(), role)).status]).toEqual([role, status]);
      }
    });

    it('needs a sign-in, and a place in the tenant', async () => {
      expect((await auth(test, 'organization/invite-member', { email: address(), role: 'member', organizationId: shop.id })).status).toBe(401);
      const stranger = await signUp(test);
      expect((await invite(test, stranger, address(), 'member', shop.id)).status).toBe(403);
    });

    it('refuses to invite a member again, and an admin to replace an invitation of an owner', async () => {
      expect((await invite(test, shop.owner, shop.member.email, 'admin')).body.code).toBe('USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION');
      const email = address();
      await invite(test, shop.owner, email, 'owner');
      expect((await invite(test, shop.admin, email, 'member')).status).toBe(403);
    });

    it('voids the older link when the same address is invited again', async () => {
      const guest = await signUp(test);
      const [first, second] = [await invite(test, shop.owner, guest.email, 'member'), await invite(test, shop.owner, guest.email, 'admin')];
      expect((await accept(test, guest, first.body.id)).status).toBe(400);
      expect((await accept(test, guest, second.body.id)).status).toBe(200);
      expect((await rolesOf(test, shop.owner))[guest.email]).toBe('ADMIN');
    });
  });

  describe('the list', () => {
    it('shows whom one decides on, as its ids let in: all to owners, members to admins, none to members and keys', async () => {
      const { owner, admin, member, id } = await team(test);
      const emails = { owner: address(), admin: address(), member: address() };
      for (const [role, email] of Object.entries(emails)) await invite(test, owner, email, role);
      expect((await list(owner.cookie)).map(({ email }) => email).sort()).toEqual(Object.values(emails).sort());
      expect(await list(admin.cookie)).toMatchObject([{ email: emails.member, role: 'MEMBER', inviter: { email: owner.email } }]);
      const { key } = await createTenant(test);
      for (const credentials of [member.cookie, key]) {
        expect((await graphql(test, credentials, LIST)).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
      }
      expect((await graphql(test, {}, LIST)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
      expect(await list((await signUp(test)).cookie)).toEqual([]);
      for (const path of ['list-invitations', 'get-full-organization', 'list-user-invitations']) {
        const url = `${test.url}/api/auth/organization/${path}?organizationId=${id}`;
        expect((await fetch(url, { headers: member.cookie })).status).toBe(404);
      }
    });

    it('forgets what expired or was answered', async () => {
      const { owner } = await team(test);
      const [late, declined] = [address(), await signUp(test)];
      await expire((await invite(test, owner, late, 'member')).body.id);
      const { body } = await invite(test, owner, declined.email, 'member');
      await auth(test, 'organization/reject-invitation', { invitationId: body.id }, declined.cookie);
      expect(await list(owner.cookie)).toEqual([]);
    });

    it.each([['owner', 'member', 200], ['admin', 'member', 200], ['admin', 'owner', 403], ['member', 'member', 403]] as const)(
      '%s revokes the invitation of a new %s: %i',
      async (by, role, status) => {
        const { body } = await invite(test, shop.owner, address(), role);
        const revoke = (credentials: Credentials | null) => auth(test, 'organization/cancel-invitation', { invitationId: body.id }, credentials);
        expect((await revoke(null)).status).toBe(401);
        expect((await revoke((await signUp(test)).cookie)).status).toBe(403);
        expect((await revoke(shop[by].cookie)).status).toBe(status);
        expect(await preview(body.id)).toMatchObject({ state: status === 200 ? 'REVOKED' : 'OPEN' });
      },
    );
  });

  describe('the link', () => {
    it('says who invites whom to what, to anyone who has it, and hides the address', async () => {
      const { body } = await invite(test, shop.owner, 'nora.smith@example.test', 'admin');
      const { name } = await tenantOf(test, shop.owner.cookie);
      expect(await preview(body.id)).toEqual({ state: 'OPEN', tenantName: name, inviterName: 'Test User', role: 'ADMIN', emailHint: 'n•••@example.test' });
      for (const id of [randomUUID(), 'nonsense', shop.id]) expect(await preview(id)).toBeNull();
    });

    it('works for the invited address only, once, however often it is tried at once', async () => {
      const [guest, other] = [await signUp(test), await signUp(test)];
      const { body } = await invite(test, shop.owner, guest.email.toUpperCase(), 'member');
      expect((await auth(test, 'organization/accept-invitation', { invitationId: body.id })).status).toBe(401);
      for (const path of ['accept-invitation', 'reject-invitation']) {
        const answer = await auth(test, `organization/${path}`, { invitationId: body.id }, other.cookie);
        expect([answer.status, answer.body.code]).toEqual([403, 'YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION']);
      }
      const answers = await Promise.all(Array.from({ length: 5 }, () => accept(test, guest, body.id)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400]);
      expect(await preview(body.id)).toMatchObject({ state: 'ACCEPTED' });
      expect((await tenantOf(test, guest.cookie)).id).toBe(shop.id);
      expect((await rolesOf(test, shop.owner))[guest.email]).toBe('MEMBER');
    });

    it('does not work once expired, declined or revoked, and says so', async () => {
      const guest = await signUp(test);
      const states: [string, (id: string) => Promise<unknown>][] = [
        ['EXPIRED', expire],
        ['DECLINED', (invitationId) => auth(test, 'organization/reject-invitation', { invitationId }, guest.cookie)],
        ['REVOKED', (invitationId) => auth(test, 'organization/cancel-invitation', { invitationId }, shop.owner.cookie)],
      ];
      for (const [state, end] of states) {
        const { body } = await invite(test, shop.owner, guest.email, 'member');
        await end(body.id);
        expect(await preview(body.id)).toMatchObject({ state });
        expect((await accept(test, guest, body.id)).status).toBe(400);
      }
    });

    it('is worth what its inviter may still decide', async () => {
      const second = await join(test, shop.owner, 'owner');
      const guest = await signUp(test);
      const { body } = await invite(test, second, guest.email, 'admin');
      const id = await memberId(test, shop.owner, second);
      await auth(test, 'organization/update-member-role', { memberId: id, role: 'admin' }, shop.owner.cookie);
      expect(await preview(body.id)).toMatchObject({ state: 'REVOKED' });
      expect((await accept(test, guest, body.id)).status).toBe(400);
    });
  });

  describe('somebody new', () => {
    it('who signs up for an invitation has no tenant but that one', async () => {
      const email = address();
      const { body } = await invite(test, shop.owner, email, 'member');
      const guest = await signUp(test, '', email);
      const { errors } = await graphql(test, guest.cookie, '{ tenant { id } }');
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', reason: 'NO_TENANT' });
      expect((await accept(test, guest, body.id)).status).toBe(200);
      expect((await tenantOf(test, guest.cookie)).id).toBe(shop.id);
      const tenants = await fetch(`${test.url}/api/auth/organization/list`, { headers: guest.cookie });
      expect(await tenants.json()).toMatchObject([{ id: shop.id }]);
    });

    it('who declines may make a tenant of their own', async () => {
      const email = address();
      const { body } = await invite(test, shop.owner, email, 'member');
      const guest = await signUp(test, '', email);
      await auth(test, 'organization/reject-invitation', { invitationId: body.id }, guest.cookie);
      expect((await auth(test, 'organization/create', { name: 'My own' }, guest.cookie)).status).toBe(200);
      expect(await tenantOf(test, guest.cookie)).toMatchObject({ name: 'My own', members: [{ role: 'OWNER' }] });
    });

    it('who names a tenant gets it, invited or not; who is not invited gets one named after them', async () => {
      const email = address();
      await invite(test, shop.owner, email, 'member');
      const named = await signUp(test, 'Named', email);
      expect((await tenantOf(test, named.cookie)).name).toBe('Named');
      expect((await tenantOf(test, (await signUp(test, '')).cookie)).name).toBe("Test User's team");
    });
  });

  it('are mailed where there is a mail server, and only then', async () => {
    const server = await mailServer();
    const mailing = await startApp({ SMTP_URL: server.url, MAIL_FROM: 'Aril <aril@example.test>' });
    try {
      const owner = await signUp(mailing, 'Fern & Thistle');
      const { body } = await invite(mailing, owner, 'guest@example.test', 'member');
      await expect.poll(() => server.received()).toContain(`/invitations/${body.id}`);
      expect(server.received()).toMatch(/RCPT TO:<guest@example\.test>/);
      expect(server.received()).toMatch(/Subject: Test User invites you to Fern & Thistle on Aril/);
      const told = (app: TestApp, credentials: Credentials) => data(graphql(app, credentials, '{ tenant { mailsInvitations } }'));
      expect(await told(mailing, owner.cookie)).toEqual({ tenant: { mailsInvitations: true } });
      expect(await told(test, shop.owner.cookie)).toEqual({ tenant: { mailsInvitations: false } });
      await server.stop();
      expect((await invite(mailing, owner, 'late@example.test', 'member')).status).toBe(200);
    } finally {
      await mailing.stop();
      await server.stop();
    }
  });
});
