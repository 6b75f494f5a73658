import { Inject, Injectable, Logger } from '@nestjs/common';
import { ArilError, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import type { Caller } from '../../base/auth/caller.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import { validInput } from '../../base/errors/validate.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { ApiKeyModel, type ApiKeyRow } from '../../models/api-key.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { LimitsService, limitsSchema } from '../limits/limits.service.js';
import { looksLikeSecret, newSecret, secretHasher } from './api-key-secret.js';

/** `lastUsedAt` is for people: to the minute is enough, and saves a write per request. */
const TOUCH_INTERVAL_MS = 60_000;
const KEYS_MAX = 100;

const newKeySchema = z.object({
  name: textWithoutNul.trim().min(1, 'expected a name').max(80, 'expected at most 80 characters'),
  expiresAt: z.date().nullish(),
  limits: limitsSchema.nullish(),
});

@Injectable()
export class ApiKeyService {
  private readonly logger = new Logger(ApiKeyService.name);
  private readonly hash: (secret: string) => string;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly keys: ApiKeyModel,
    private readonly database: TenantDatabase,
    private readonly limits: LimitsService,
    private readonly audit: AuditTrail,
  ) {
    this.hash = secretHasher(config.AUTH_SECRET);
  }

  /** null: unknown, expired or revoked. Asked of the database every time, so a revocation holds at once. */
  async authenticate(secret: string): Promise<ApiKeyRow | null> {
    if (!looksLikeSecret(secret)) return null;
    const key = await this.keys.findByHash(this.hash(secret));
    const now = new Date();
    if (!key || key.revokedAt || hasExpired(key, now)) return null;
    if (!key.lastUsedAt || now.getTime() - key.lastUsedAt.getTime() > TOUCH_INTERVAL_MS) await this.touch(key, now);
    return key;
  }

  async isLive(tenantId: string, id: string): Promise<boolean> {
    const key = await this.database.inTenant(tenantId, () => this.keys.find(id));
    return key !== null && !hasExpired(key, new Date());
  }

  list(tenantId: string): Promise<ApiKeyRow[]> {
    return this.database.inTenant(tenantId, () => this.keys.list());
  }

  async find(tenantId: string, id: string): Promise<ApiKeyRow> {
    const key = await this.database.inTenant(tenantId, () => this.keys.find(id));
    if (!key) throw new ArilError('NOT_FOUND', 'apiKeyId: there is no such API key', 'apiKeyId');
    return key;
  }

  async create(caller: Caller, input: unknown): Promise<{ key: ApiKeyRow; secret: string }> {
    const { name, expiresAt, limits } = validInput(newKeySchema, input);
    if (expiresAt && expiresAt <= new Date()) throw new ArilError('BAD_INPUT', 'expiresAt: expected a time to come', 'expiresAt');
    const { secret, prefix } = newSecret();
    const key = await this.database.inTenant(caller.tenantId, async () => {
      await this.database.lock('api-keys');
      if ((await this.keys.count()) >= KEYS_MAX) {
        throw new ArilError('QUOTA_EXCEEDED', `found ${KEYS_MAX} API keys, expected fewer: revoke one that is not used any more`);
      }
      const created = await this.keys.create({ name, prefix, keyHash: this.hash(secret), createdById: caller.userId, expiresAt: expiresAt ?? null });
      const held = limits && (await this.limits.setForNewKey(created.id, limits));
      await this.audit.record('apiKey.create', labelled(created), { after: { name, prefix, expiresAt: created.expiresAt, ...held } });
      return created;
    });
    return { key, secret };
  }

  async revoke(tenantId: string, id: string): Promise<void> {
    await this.database.inTenant(tenantId, async () => {
      const key = isUuid(id) ? await this.keys.find(id) : null;
      const revokedAt = new Date();
      if (!key || !(await this.keys.revoke(id, revokedAt))) throw new ArilError('NOT_FOUND', 'apiKeyId: there is no such API key', 'apiKeyId');
      await this.audit.record('apiKey.revoke', labelled(key), { before: { revokedAt: null }, after: { revokedAt } });
    });
  }

  /** A request must not fail because the note of its use could not be written. */
  private async touch(key: ApiKeyRow, now: Date): Promise<void> {
    try {
      await this.database.inTenant(key.tenantId, () => this.keys.touch(key.id, now));
    } catch (error) {
      this.logger.warn({ err: error, apiKeyId: key.id }, 'could not note the use of an API key');
    }
  }
}

const hasExpired = ({ expiresAt }: ApiKeyRow, now: Date): boolean => expiresAt !== null && expiresAt <= now;

/** As lists show keys. */
const labelled = ({ id, name }: ApiKeyRow) => ({ id, label: name });
