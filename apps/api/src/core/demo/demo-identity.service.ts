import { Inject, Injectable } from '@nestjs/common';
import { ApiKeyService } from '../api-keys/api-key.service.js';
import { AUTH, type Auth } from '../identity/auth.js';
import { IdentityDirectory } from '../identity/identity-directory.js';
import { TenantService } from '../tenant/tenant.service.js';
import type { DemoTenant } from './demo-tenants.js';

export interface DemoAccess {
  tenantId: string;
  slug: string;
  apiKey: string;
}

const KEY_NAME = 'Demo';

/** Demo users, their tenants and keys: made through Better Auth and the key service, as a person's are. */
@Injectable()
export class DemoIdentityService {
  constructor(
    @Inject(AUTH) private readonly auth: Auth,
    private readonly directory: IdentityDirectory,
    private readonly tenants: TenantService,
    private readonly keys: ApiKeyService,
  ) {}

  /** `knownKey`: the key of an earlier run; kept while it works. */
  async ensure(demo: DemoTenant, password: string, knownKey: string | null): Promise<DemoAccess> {
    const userId = await this.ensureUser(demo, password);
    const [tenantId] = await this.directory.tenantsOfUser(userId);
    if (!tenantId) throw new Error(`${demo.user.email} has no tenant after signing in`);
    const { slug } = await this.tenants.tenant(tenantId);
    return { tenantId, slug, apiKey: await this.ensureKey(tenantId, userId, knownKey) };
  }

  /** Signs up, or makes an existing user's password the given one. */
  private async ensureUser({ name: tenantName, user }: DemoTenant, password: string): Promise<string> {
    const context = await this.auth.$context;
    const found = await context.internalAdapter.findUserByEmail(user.email);
    if (!found) {
      const { user: made } = await this.auth.api.signUpEmail({ body: { ...user, password, tenantName } });
      return made.id;
    }
    const { id } = found.user;
    const account = (await context.internalAdapter.findAccounts(id)).find((one) => one.providerId === 'credential');
    const same = account?.password && (await context.password.verify({ hash: account.password, password }));
    if (!same) await context.internalAdapter.updatePassword(id, await context.password.hash(password));
    return id;
  }

  private async ensureKey(tenantId: string, userId: string, knownKey: string | null): Promise<string> {
    const known = knownKey ? await this.keys.authenticate(knownKey) : null;
    if (knownKey && known?.key.tenantId === tenantId) return knownKey;
    const caller = { tenantId, userId, apiKeyId: null, grant: null, role: 'OWNER' } as const;
    return (await this.keys.create(caller, { name: KEY_NAME })).secret;
  }
}
