/** Tenants with people of each role, who came in through Better Auth's doors as the portal's users do. */
import { createTenant, type Credentials, data, graphql, ORIGIN, signUp, type TestApp, type TestUser } from './harness.js';

export type RoleName = 'owner' | 'admin' | 'member';

export interface AuthAnswer {
  status: number;
  body: Record<string, unknown> & { id: string; code?: string; message?: string };
}

/** One of Better Auth's calls; null credentials: nobody is signed in. */
export async function auth(test: TestApp, path: string, body: object, credentials: Credentials | null = null): Promise<AuthAnswer> {
  const response = await fetch(`${test.url}/api/auth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: ORIGIN, ...credentials },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json().catch(() => ({}))) as AuthAnswer['body'] };
}

export const invite = (test: TestApp, by: TestUser, email: string, role: string, organizationId?: string): Promise<AuthAnswer> =>
  auth(test, 'organization/invite-member', { email, role, organizationId }, by.cookie);

export const accept = (test: TestApp, user: TestUser, invitationId: string): Promise<AuthAnswer> =>
  auth(test, 'organization/accept-invitation', { invitationId }, user.cookie);

/** Somebody new, invited by `by` and working in that tenant. */
export async function join(test: TestApp, by: TestUser, role: RoleName): Promise<TestUser> {
  const user = await signUp(test);
  const invited = await invite(test, by, user.email, role);
  const accepted = await accept(test, user, invited.body.id);
  if (accepted.status !== 200) throw new Error(`did not join: ${JSON.stringify([invited, accepted])}`);
  return user;
}

export interface Team {
  id: string;
  owner: TestUser;
  admin: TestUser;
  member: TestUser;
}

export async function team(test: TestApp): Promise<Team> {
  const { user: owner, id } = await createTenant(test);
  return { id, owner, admin: await join(test, owner, 'admin'), member: await join(test, owner, 'member') };
}

interface Found {
  id: string;
  name: string;
  members: { id: string; role: string; user: { id: string; email: string } }[];
}

export async function tenantOf(test: TestApp, credentials: Credentials): Promise<Found> {
  const query = '{ tenant { id name members { id role user { id email } } } }';
  return (await data(graphql<{ tenant: Found }>(test, credentials, query))).tenant;
}

/** The membership of `user` in the tenant that `by` works in. */
export async function memberId(test: TestApp, by: TestUser, user: TestUser): Promise<string> {
  const { members } = await tenantOf(test, by.cookie);
  const found = members.find((member) => member.user.email === user.email);
  if (!found) throw new Error(`${user.email} is no member`);
  return found.id;
}

export async function rolesOf(test: TestApp, by: TestUser): Promise<Record<string, string>> {
  const { members } = await tenantOf(test, by.cookie);
  return Object.fromEntries(members.map(({ user, role }) => [user.email, role]));
}
