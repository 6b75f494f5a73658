import { withClient } from '@aril/local-services';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, createTenant, type Credentials, graphql, signUp, startApp, type TestApp, type TestUser } from './harness.js';
import { auth, type AuthAnswer, join, memberId, type RoleName, rolesOf, team, type Team, tenantOf } from './member-fixtures.js';

const LAST_OWNER = 'YOU_CANNOT_LEAVE_THE_ORGANIZATION_WITHOUT_AN_OWNER';
const ONLY_OWNER = 'YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER';

describe('members', () => {
  let test: TestApp;
  let shop: Team;
  beforeAll(async () => {
    test = await startApp();
    shop = await team(test);
  });
  afterAll(() => test.stop());

  const setRole = (by: Credentials | null, id: string, role: string): Promise<AuthAnswer> =>
    auth(test, 'organization/update-member-role', { memberId: id, role, organizationId: shop.id }, by);
  const remove = (by: Credentials | null, memberIdOrEmail: string): Promise<AuthAnswer> =>
    auth(test, 'organization/remove-member', { memberIdOrEmail, organizationId: shop.id }, by);
  const leave = (user: TestUser, organizationId = shop.id): Promise<AuthAnswer> => auth(test, 'organization/leave', { organizationId }, user.cookie);

  describe('changing a role', () => {
    it.each([
      ['owner', 'member', 'admin', 200],
      ['owner', 'admin', 'owner', 200],
      ['admin', 'member', 'admin', 403],
      ['admin', 'member', 'owner', 403],
      ['admin', 'admin', 'member', 403],
      ['admin', 'owner', 'member', 403],
      ['member', 'member', 'owner', 403],
    ] as const)('%s makes a %s %s: %i', async (by, from, to, status) => {
      const person = await join(test, shop.owner, from);
      const id = await memberId(test, shop.owner, person);
      expect((await setRole(shop[by].cookie, id, to)).status).toBe(status);
      const role = status === 200 ? to : from;
      expect((await rolesOf(test, shop.owner))[person.email]).toBe(role.toUpperCase());
    });

    it('needs a sign-in, a place in the tenant, and one role that there is', async () => {
      const id = await memberId(test, shop.owner, shop.member);
      expect((await setRole(null, id, 'admin')).status).toBe(401);
      expect((await setRole((await signUp(test)).cookie, id, 'admin')).status).toBe(403);
      for (const role of ['root', 'member,owner', 'member, owner']) expect((await setRole(shop.owner.cookie, id, role)).status).toBe(400);
      expect((await setRole(shop.owner.cookie, 'nonsense', 'admin')).status).toBe(400);
    });

    it("does not reach another tenant's members", async () => {
      const other = await createTenant(test);
      const theirs = await memberId(test, other.user, other.user);
      expect((await setRole(shop.owner.cookie, theirs, 'member')).status).toBe(403);
      expect((await remove(shop.owner.cookie, theirs)).status).toBe(400);
      expect(await rolesOf(test, other.user)).toEqual({ [other.user.email]: 'OWNER' });
    });

    it('holds from the next request on', async () => {
      const person = await join(test, shop.owner, 'admin');
      const id = await memberId(test, shop.owner, person);
      await createApiKey(test, person);
      await setRole(shop.owner.cookie, id, 'member');
      const { errors } = await graphql(test, person.cookie, 'mutation { createApiKey(input: { name: "x" }) { secret } }');
      expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    });
  });

  describe('removing', () => {
    it.each([['owner', 'admin', 200], ['owner', 'owner', 200], ['admin', 'member', 200], ['admin', 'admin', 403], ['admin', 'owner', 403], ['member', 'member', 403]] as const)(
      '%s removes a %s: %i',
      async (by, target, status) => {
        const person = await join(test, shop.owner, target);
        const id = await memberId(test, shop.owner, person);
        expect((await remove(null, id)).status).toBe(401);
        expect((await remove(shop[by].cookie, id)).status).toBe(status);
        expect(person.email in (await rolesOf(test, shop.owner))).toBe(status !== 200);
      },
    );

    it("ends what their session may do at once, and leaves the tenant's keys that they made", async () => {
      const person = await join(test, shop.owner, 'admin');
      const key = await createApiKey(test, person);
      expect((await tenantOf(test, person.cookie)).id).toBe(shop.id);
      await remove(shop.owner.cookie, await memberId(test, shop.owner, person));
      // The session goes on where its owner still belongs.
      expect((await tenantOf(test, person.cookie)).name).toBe(person.tenantName);
      expect((await auth(test, 'organization/set-active', { organizationId: shop.id }, person.cookie)).status).toBe(403);
      expect((await tenantOf(test, key)).id).toBe(shop.id);
    });
  });

  describe('leaving', () => {
    it('is open to everyone; who has no other tenant is told, and may make one', async () => {
      const { user, id } = await createTenant(test);
      const heir = await join(test, user, 'owner');
      await leave(user, id);
      const { errors } = await graphql(test, user.cookie, '{ tenant { id } }');
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', reason: 'NO_TENANT' });
      expect(await rolesOf(test, heir)).toEqual({ [heir.email]: 'OWNER' });
      expect((await auth(test, 'organization/create', { name: 'Anew' }, user.cookie)).status).toBe(200);
      expect((await tenantOf(test, user.cookie)).name).toBe('Anew');
    });

    it('takes a member to the tenant that is left to them', async () => {
      const person = await join(test, shop.owner, 'member');
      expect((await leave(person)).status).toBe(200);
      expect((await tenantOf(test, person.cookie)).name).toBe(person.tenantName);
      expect((await leave(person)).status).toBe(400);
    });
  });

  describe('the last owner', () => {
    it('can neither leave, be removed nor step down', async () => {
      const { owner, id } = await team(test);
      const membership = await memberId(test, owner, owner);
      const refusals = [
        await leave(owner, id),
        await auth(test, 'organization/remove-member', { memberIdOrEmail: membership }, owner.cookie),
        await auth(test, 'organization/update-member-role', { memberId: membership, role: 'admin' }, owner.cookie),
      ];
      expect(refusals.map(({ status, body }) => [status, body.code])).toEqual([[400, ONLY_OWNER], [400, ONLY_OWNER], [400, LAST_OWNER]]);
      expect((await rolesOf(test, owner))[owner.email]).toBe('OWNER');
    });

    it.each([
      ['leave', (user: TestUser, _: TestUser, id: string) => leave(user, id)],
      ['remove each other', (user: TestUser, other: TestUser, id: string) => act(user, other, id, 'remove-member', 'memberIdOrEmail', {})],
      ['demote each other', (user: TestUser, other: TestUser, id: string) => act(user, other, id, 'update-member-role', 'memberId', { role: 'member' })],
    ] as const)('remains when all owners %s at once', async (_, end) => {
      for (let round = 0; round < 4; round++) {
        const { user, id } = await createTenant(test);
        const owners = [user, await join(test, user, 'owner')] as const;
        const answers = await Promise.all([end(owners[0], owners[1], id), end(owners[1], owners[0], id)]);
        const left = await withClient(test.ownerUrl, (client) =>
          client.query("SELECT count(*)::int AS owners FROM memberships WHERE tenant_id = $1 AND role = 'owner'", [id]),
        );
        expect(left.rows).toEqual([{ owners: 1 }]);
        expect(answers.map(({ status }) => status).sort()[0]).toBe(200);
        for (const { status } of answers) expect(status).toBeLessThan(500);
      }
    });

    /** The target's membership is looked up behind the scenes, as the tenant's own list would be gone for whoever lost. */
    async function act(by: TestUser, target: TestUser, organizationId: string, path: string, field: string, more: object): Promise<AuthAnswer> {
      const sql = 'SELECT m.id FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1 AND u.email = $2';
      const { rows } = await withClient(test.ownerUrl, (client) => client.query<{ id: string }>(sql, [organizationId, target.email]));
      return auth(test, `organization/${path}`, { [field]: rows[0]?.id, organizationId, ...more }, by.cookie);
    }
  });

  describe('the tenant itself', () => {
    const rename = (credentials: Credentials | null, data: object): Promise<AuthAnswer> =>
      auth(test, 'organization/update', { organizationId: shop.id, data }, credentials);

    it.each([['owner', 200], ['admin', 200], ['member', 403]] as const)('%s renames it: %i', async (by, status) => {
      const before = await tenantOf(test, shop.owner.cookie);
      const name = `Renamed by ${by}`;
      expect((await rename(shop[by].cookie, { name: `  ${name} ` })).status).toBe(status);
      expect((await tenantOf(test, shop.owner.cookie)).name).toBe(status === 200 ? name : before.name);
    });

    it.each([[{ name: '' }], [{ name: 'x'.repeat(81) }], [{ name: 'a\0b' }], [{ name: 'Sound', slug: 'mine' }], [{}]])('refuses %j', async (data) => {
      expect((await rename(shop.owner.cookie, data)).status).toBe(400);
    });

    it('is renamed by its own people only', async () => {
      expect((await rename(null, { name: 'Theirs' })).status).toBe(401);
      expect((await rename((await signUp(test)).cookie, { name: 'Theirs' })).status).toBeGreaterThanOrEqual(400);
    });

    it('is made with a slug of the server\'s choice, and is then the one worked in', async () => {
      const user = await signUp(test);
      const make = () => auth(test, 'organization/create', { name: 'Second Shop', slug: 'aril' }, user.cookie);
      expect((await make()).body).toMatchObject({ name: 'Second Shop', slug: 'second-shop' });
      expect((await make()).body['slug']).toMatch(/^second-shop-[0-9a-f]{8}$/);
      expect((await tenantOf(test, user.cookie)).name).toBe('Second Shop');
      expect((await auth(test, 'organization/create', { name: '' }, user.cookie)).status).toBe(400);
      expect((await auth(test, 'organization/create', { name: 'Nobody', slug: 'nobody' })).status).toBe(401);
    });

    it('is switched by its members, each session for itself', async () => {
      const person = await join(test, shop.owner, 'member' satisfies RoleName);
      const list = await fetch(`${test.url}/api/auth/organization/list`, { headers: person.cookie });
      const own = ((await list.json()) as { id: string; name: string }[]).find(({ name }) => name === person.tenantName);
      expect((await auth(test, 'organization/set-active', { organizationId: own?.id }, person.cookie)).status).toBe(200);
      expect((await tenantOf(test, person.cookie)).name).toBe(person.tenantName);
      expect((await auth(test, 'organization/set-active', { organizationId: shop.id }, person.cookie)).status).toBe(200);
      expect((await tenantOf(test, person.cookie)).id).toBe(shop.id);
    });
  });
});
