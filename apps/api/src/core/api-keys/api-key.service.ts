import { Inject, Injectable, Logger } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import type { Caller, KeyGrant } from '../../base/auth/caller.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { ApiKeyModel, type ApiKeyRow } from '../../models/api-key.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { LimitsService } from '../limits/limits.service.js';
import { newKeySchema, permissionsSchema, rotationSchema, targetsSchema } from './api-key-input.js';
import { looksLikeSecret, newSecret, secretHasher } from './api-key-secret.js';
import { KeyTargets } from './key-targets.js';
import { hasExpired, permissionsOf, previousWorks, rotated, secretInUse, secretWorks } from './key-secrets.js';

/** `lastUsedAt` is for people: to the minute is enough, and saves a write per request. */
const TOUCH_INTERVAL_MS = 60_000;
const KEYS_MAX = 100;

@Injectable()
export class ApiKeyService {
  private readonly logger = new Logger(ApiKeyService.name);
  private readonly hash: (secret: string) => string;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly keys: ApiKeyModel,
    private readonly database: TenantDatabase,
    private readonly limits: LimitsService,
    private readonly targets: KeyTargets,
    private readonly audit: AuditTrail,
  ) {
    this.hash = secretHasher(config.API_KEY_SECRET ?? config.AUTH_SECRET);
  }

  /** null: unknown, expired, revoked or replaced. Asked of the database every time, so that each of them holds at once. */
  async authenticate(secret: string): Promise<{ key: ApiKeyRow; grant: KeyGrant } | null> {
    if (!looksLikeSecret(secret)) return null;
    const hash = this.hash(secret);
    const key = await this.keys.findByHash(hash);
    if (!key || key.revokedAt) return null;
    const now = new Date();
    const { lastUsedAt, ...grant } = secretInUse(key, hash);
    if (!secretWorks(key, grant.secretVersion, now)) return null;
    if (!lastUsedAt || now.getTime() - lastUsedAt.getTime() > TOUCH_INTERVAL_MS) await this.touch(key, hash, now);
    return { key, grant };
  }

  /** Whether the secret that a caller came with still works. */
  async isLive(tenantId: string, id: string, secretVersion: number): Promise<boolean> {
    const key = await this.database.inTenant(tenantId, () => this.keys.find(id));
    return key !== null && secretWorks(key, secretVersion, new Date());
  }

  list(tenantId: string): Promise<ApiKeyRow[]> {
    return this.database.inTenant(tenantId, () => this.keys.list());
  }

  async find(tenantId: string, id: string): Promise<ApiKeyRow> {
    return (isUuid(id) && (await this.database.inTenant(tenantId, () => this.keys.find(id)))) || noSuchKey();
  }

  async create(caller: Caller, input: unknown): Promise<{ key: ApiKeyRow; secret: string }> {
    const { name, expiresAt, limits, permissions, targets } = validInput(newKeySchema, input);
    if (expiresAt && expiresAt <= new Date()) throw new ArilError('BAD_INPUT', 'expiresAt: expected a time to come', 'expiresAt');
    const { secret, prefix } = newSecret();
    const key = await this.database.inTenant(caller.tenantId, async () => {
      await this.database.lock('api-keys');
      if ((await this.keys.count()) >= KEYS_MAX) {
        throw new ArilError('QUOTA_EXCEEDED', `found ${KEYS_MAX} API keys, expected fewer: revoke one that is not used any more`);
      }
      const row = { name, prefix, keyHash: this.hash(secret), createdById: caller.userId, expiresAt: expiresAt ?? null, permissions };
      const created = await this.keys.create({ ...row, ...(await this.targets.resolve(targets)) });
      const held = limits && (await this.limits.setForNewKey(created.id, limits));
      await this.audit.record('apiKey.create', labelled(created), { after: { name, prefix, expiresAt: created.expiresAt, permissions, targets: await this.targets.inWords(created), ...held } });
      return created;
    });
    return { key, secret };
  }

  /**
   * The key stays what it is, with its limits, its budget's window and its usage; only its secret is another one. The
   * secret before the present one, if that was in its grace still, ends at once: there are never more than two.
   */
  async rotate(tenantId: string, id: string, input: unknown): Promise<{ key: ApiKeyRow; secret: string }> {
    const { graceSeconds } = validInput(rotationSchema, input);
    const { secret, prefix } = newSecret();
    const key = await this.database.inTenant(tenantId, async () => {
      await this.database.lock('api-keys');
      const old = await this.find(tenantId, id);
      const now = new Date();
      if (hasExpired(old, now)) throw new ArilError('BAD_INPUT', 'apiKeyId: found a key that has expired, expected one that works: create another', 'apiKeyId');
      const endsAt = graceSeconds > 0 ? earlier(new Date(now.getTime() + graceSeconds * 1_000), old.expiresAt) : null;
      const changed = (await this.keys.change(old, rotated(old, { prefix, keyHash: this.hash(secret) }, endsAt))) ?? noSuchKey();
      const previousWorksUntil = previousWorks(old, now) ? old.previousEndsAt : null;
      await this.audit.record('apiKey.rotate', labelled(old), { before: { prefix: old.prefix, previousWorksUntil }, after: { prefix, previousWorksUntil: endsAt } });
      return changed;
    });
    return { key, secret };
  }

  /** Holds from the next request on. */
  async changePermissions(tenantId: string, id: string, input: unknown): Promise<ApiKeyRow> {
    const { permissions } = validInput(permissionsSchema, input);
    return this.database.inTenant(tenantId, async () => {
      await this.database.lock('api-keys');
      const old = await this.find(tenantId, id);
      const changed = (await this.keys.change(old, { permissions })) ?? noSuchKey();
      await this.audit.record('apiKey.updatePermissions', labelled(old), { before: { permissions: permissionsOf(old) }, after: { permissions } });
      return changed;
    });
  }

  /** Likewise. What is not in the list any more does not exist for the key from then on. */
  async changeTargets(tenantId: string, id: string, input: unknown): Promise<ApiKeyRow> {
    const { targets } = validInput(targetsSchema, input);
    return this.database.inTenant(tenantId, async () => {
      await this.database.lock('api-keys');
      const old = await this.find(tenantId, id);
      const changed = (await this.keys.change(old, await this.targets.resolve(targets))) ?? noSuchKey();
      const [before, after] = [await this.targets.inWords(old), await this.targets.inWords(changed)];
      await this.audit.record('apiKey.updateTargets', labelled(old), { before: { targets: before }, after: { targets: after } });
      return changed;
    });
  }

  async revoke(tenantId: string, id: string): Promise<void> {
    await this.database.inTenant(tenantId, async () => {
      const key = await this.find(tenantId, id);
      const revokedAt = new Date();
      if (!(await this.keys.revoke(id, revokedAt))) noSuchKey();
      await this.audit.record('apiKey.revoke', labelled(key), { before: { revokedAt: null }, after: { revokedAt } });
    });
  }

  /** A request must not fail because the note of its use could not be written. */
  private async touch(key: ApiKeyRow, hash: string, now: Date): Promise<void> {
    try {
      await this.database.inTenant(key.tenantId, () => this.keys.touch(key.id, hash, now));
    } catch (error) {
      this.logger.warn({ err: error, apiKeyId: key.id }, 'could not note the use of an API key');
    }
  }
}

/** What has ended with its key does not work until later than that. */
const earlier = (one: Date, other: Date | null): Date => (other !== null && other < one ? other : one);

function noSuchKey(): never {
  throw new ArilError('NOT_FOUND', 'apiKeyId: there is no such API key', 'apiKeyId');
}

/** As lists show keys. */
const labelled = ({ id, name }: ApiKeyRow) => ({ id, label: name });
