/** Credentials to caller: an API key in one of the headers that clients send them in, or the session cookie of a trusted page. */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { fromNodeHeaders } from 'better-auth/node';
import { type Caller, CallerResolver, type Role } from '../../base/auth/caller.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import type { ApiRequest } from '../../base/http/api-request.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { TenantModel } from '../../models/tenant.model.js';
import { ApiKeyService } from '../api-keys/api-key.service.js';
import { AUTH, type Auth } from './auth.js';
import { IdentityDirectory } from './identity-directory.js';
import { IdentityOutage } from './identity-outage.js';
import { highestRole } from './role.js';

/** Azure's clients send the first, Anthropic's and gateways the second. */
const KEY_HEADERS = ['api-key', 'x-api-key'] as const;

@Injectable()
export class SessionCallerResolver extends CallerResolver {
  private readonly trustedOrigins: Set<string>;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(AUTH) private readonly auth: Auth,
    private readonly apiKeys: ApiKeyService,
    private readonly directory: IdentityDirectory,
    private readonly outage: IdentityOutage,
    private readonly database: TenantDatabase,
    private readonly tenants: TenantModel,
  ) {
    super();
    this.trustedOrigins = new Set([config.API_URL, ...config.PORTAL_URL]);
  }

  async require(request: ApiRequest): Promise<Caller> {
    const caller = await this.resolve(request);
    if (!caller) throw new ArilError('UNAUTHENTICATED', 'Sign in, or send an API key as "Authorization: Bearer aril_…".');
    return caller;
  }

  async resolve(request: ApiRequest): Promise<Caller | null> {
    const { authorization, cookie } = request.headers;
    // One that is given counts, good or bad: the others are not tried.
    if (authorization) return this.fromApiKey(/^Bearer +(\S+) *$/i.exec(authorization)?.[1]);
    const key = KEY_HEADERS.map((name) => request.headers[name]).find((value) => value);
    if (key !== undefined) return this.fromApiKey(key.toString());
    return cookie ? this.fromSession(request) : null;
  }

  async stillHolds({ tenantId, apiKeyId, userId, grant }: Caller): Promise<boolean> {
    if (apiKeyId !== null) return grant !== null && this.apiKeys.isLive(tenantId, apiKeyId, grant.secretVersion);
    return userId !== null && (await this.roleIn(tenantId, userId)) !== null;
  }

  async revive({ tenantId, userId, apiKeyId }: Pick<Caller, 'tenantId' | 'userId' | 'apiKeyId'>): Promise<Caller | null> {
    if (apiKeyId !== null) {
      const grant = await this.apiKeys.grantOf(tenantId, apiKeyId);
      return grant && { tenantId, userId: null, apiKeyId, grant, role: 'MEMBER' };
    }
    const role = userId === null ? null : await this.roleIn(tenantId, userId);
    return role && { tenantId, userId, apiKeyId: null, grant: null, role };
  }

  private async fromApiKey(secret: string | undefined): Promise<Caller> {
    const found = secret ? await this.apiKeys.authenticate(secret) : null;
    if (!found) throw new ArilError('UNAUTHENTICATED', 'The API key is not valid: unknown, expired, revoked or replaced by a rotation.');
    const { key, grant } = found;
    return { tenantId: key.tenantId, userId: null, apiKeyId: key.id, grant, role: 'MEMBER' };
  }

  private async fromSession(request: ApiRequest): Promise<Caller | null> {
    this.refuseForeignPage(request);
    const found = await this.session(request);
    if (!found) return null;
    const { id: sessionId, userId, activeOrganizationId } = found.session;
    const active = activeOrganizationId ? await this.roleIn(activeOrganizationId, userId) : null;
    if (activeOrganizationId && active) return { tenantId: activeOrganizationId, userId, apiKeyId: null, grant: null, role: active };
    return this.inAnotherTenant(sessionId, userId);
  }

  private async session({ headers }: ApiRequest): ReturnType<Auth['api']['getSession']> {
    try {
      return await this.auth.api.getSession({ headers: fromNodeHeaders(headers) });
    } catch (error) {
      this.outage.rethrow();
      throw error;
    }
  }

  /** The session's tenant has removed the user, or there was none yet: go on in another one. */
  private async inAnotherTenant(sessionId: string, userId: string): Promise<Caller> {
    const [tenantId] = await this.directory.tenantsOfUser(userId);
    const role = tenantId ? await this.roleIn(tenantId, userId) : null;
    if (!tenantId || !role) throw new ArilError('NO_TENANT', 'You are not a member of any tenant: make one, or accept an invitation.');
    await this.directory.setActiveTenant(sessionId, tenantId);
    return { tenantId, userId, apiKeyId: null, grant: null, role };
  }

  /** Read every time: a removed member is out at once. */
  private async roleIn(tenantId: string, userId: string): Promise<Role | null> {
    const member = await this.database.inTenant(tenantId, () => this.tenants.member(userId));
    return member ? highestRole(member.role) : null;
  }

  /** Cookies go wherever a page sends them, also over WebSockets, which CORS does not cover. */
  private refuseForeignPage({ headers }: ApiRequest): void {
    const { origin } = headers;
    if (!origin || this.trustedOrigins.has(origin)) return;
    throw new ArilError('FORBIDDEN', `origin: found ${origin}, expected the portal's; use an API key from elsewhere`, 'origin');
  }
}
