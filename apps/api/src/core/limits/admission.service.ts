/**
 * The door every generation goes through: nothing is admitted that its tenant's or its key's limits do not hold, however
 * many ask at once (docs/adr/0012-reservation-of-the-worst-case.md). What is open counts with its worst case, what has
 * ended with what it cost; both are read from the rows themselves, so there is nothing that could be left reserved.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { CONFIG, type Config } from '../../base/config/config.js';
import { monthOf, startOf } from '../../base/month.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import type { Limits } from '../../models/limit.model.js';
import { SpendModel, type TenantUse, type Use } from '../../models/spend.model.js';
import { requireBudget } from './budget-refusal.js';
import { LimitsService } from './limits.service.js';
import { RateLimiter, type RateScope, type RateStatus } from './rate-limiter.js';
import { TenantLines } from './tenant-lines.js';

/** What may become of a request, at worst. */
interface Application {
  tenantId: string;
  apiKeyId: string | null;
  /** Answers. */
  choices: number;
  /** Asked for by a batch, which paces itself: held to budgets, and neither to rates nor to how much is waited for at once. */
  background: boolean;
  tokens: number;
  nanoUsd: bigint;
  /** What the caller's door calls the field that makes it cost less. */
  maxTokensName: string;
}

/** What the row of an admitted generation says of it. */
export interface Admission {
  createdAt: Date;
  reservedNanoUsd: bigint;
  reservedTokens: number;
}

interface Scope extends RateScope {
  use: Use;
}

/** How long those who run may take nobody knows; a short answer takes about as long. */
const PARALLEL_RETRY_MS = 1_000;

@Injectable()
export class AdmissionService {
  private readonly lines = new TenantLines();
  /** Tenants that were seen to need the lock: a hint, the lock is what counts. */
  private readonly locking = new Set<string>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly limits: LimitsService,
    private readonly spend: SpendModel,
    private readonly rates: RateLimiter,
  ) {}

  /**
   * Runs `write`, which writes the row, in the transaction that has found room for it. null: the row was there before,
   * and nothing is counted again. `tell` hears how full the rates are.
   * @throws ArilError RATE_LIMITED, BUDGET_EXCEEDED; what is refused uses up nothing
   */
  admit<T>(asked: Application, write: (admission: Admission) => Promise<T | null>, tell: (rates: RateStatus[]) => void): Promise<T | null> {
    const work = (): Promise<T | null> => this.admitNow(asked, write, tell);
    return this.locking.has(asked.tenantId) ? this.lines.run(asked.tenantId, work) : work();
  }

  /**
   * Holds a request to its rates before it is known what it asks for. The answer uncounts it: for one that goes on to
   * `admit`, where it is counted.
   * @throws ArilError RATE_LIMITED
   */
  async countRequest({ tenantId, apiKeyId }: Pick<Application, 'tenantId' | 'apiKeyId'>, tell: (rates: RateStatus[]) => void): Promise<() => void> {
    const { tenant, key } = await this.db.inTenant(tenantId, () => this.limits.of(apiKeyId));
    await this.rates.take(tenantId, scopesOf(apiKeyId, tenant, key), 0, tell);
    return () => this.rates.giveBack({ tenantId, apiKeyId }, 0);
  }

  private async admitNow<T>(...[asked, write, tell]: Parameters<typeof this.admit<T>>): Promise<T | null> {
    let taken: Admission | null = null;
    const giveBack = (): void => {
      if (taken && !asked.background) this.rates.giveBack(asked, taken.reservedTokens);
    };
    try {
      const written = await this.db.inTenant(asked.tenantId, async () => {
        const { scopes, createdAt } = await this.findRoom(asked);
        // Last, and before anything is written: a refusal leaves no trace, neither there nor here.
        if (!asked.background) await this.rates.take(asked.tenantId, scopes, asked.tokens, tell);
        const counted = !asked.background && scopes.some(({ limits }) => limits.tokensPerMinute !== null);
        taken = { createdAt, reservedNanoUsd: asked.nanoUsd, reservedTokens: counted ? asked.tokens : 0 };
        return write(taken);
      });
      if (written === null) giveBack();
      return written;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  private async findRoom(asked: Application): Promise<{ scopes: Scope[]; createdAt: Date }> {
    const { tenant, key } = await this.limits.held(asked.apiKeyId);
    // Those who count what is open go one after the other, each seeing the row of the one before.
    if (isCounted(tenant) || isCounted(key)) {
      this.locking.add(asked.tenantId);
      await this.db.lock('admission');
    }
    const createdAt = new Date();
    const use = await this.spend.use(asked.apiKeyId, startOf(monthOf(createdAt)));
    if (!asked.background) this.requireRoom(use, asked.choices);
    const scopes: Scope[] = scopesOf(asked.apiKeyId, tenant, key).map((scope) => ({ ...scope, use: scope.apiKeyId === null ? use.tenant : use.key }));
    for (const scope of scopes) {
      if (!asked.background) requireParallel(scope);
      requireBudget(scope.name, scope.limits.budgetHardNanoUsd, scope.use, { ...asked, now: createdAt });
    }
    return { scopes, createdAt };
  }

  /** The order is fair however many wait; this bounds what one tenant can have kept for him. */
  private requireRoom({ openChoices }: TenantUse, choices: number): void {
    const { TENANT_WAITING_MAX: max } = this.config;
    if (openChoices + choices <= max) return;
    throw new ArilError('RATE_LIMITED', `${openChoices} answers of this tenant are waited for already, expected at most ${max} at once. Try again later.`);
  }
}

function scopesOf(apiKeyId: string | null, tenant: Limits, key: Limits): RateScope[] {
  const workspace = { apiKeyId: null, name: 'this workspace', limits: tenant };
  return apiKeyId === null ? [workspace] : [workspace, { apiKeyId, name: 'this API key', limits: key }];
}

const isCounted = (limits: Limits): boolean => limits.parallelRequests !== null || limits.budgetHardNanoUsd !== null;

function requireParallel({ name, limits, use }: Scope): void {
  const { parallelRequests: max } = limits;
  if (max === null || use.open < max) return;
  const message = `${use.open} requests of ${name} wait or run, expected at most ${max} at once. Try again when one of them has ended.`;
  throw new ArilError('RATE_LIMITED', message, undefined, { retryAfterMs: PARALLEL_RETRY_MS });
}
