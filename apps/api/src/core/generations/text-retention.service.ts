/** Outputs are kept for a while, so that an answer lost on the way can be asked for again, and then removed. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../base/config/config.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { GenerationModel } from '../../models/generation.model.js';

/** Rows per transaction: locks are short, whatever has piled up. */
const BATCH = 1_000;

@Injectable()
export class TextRetentionService {
  private readonly logger = new Logger(TextRetentionService.name);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly db: TenantDatabase,
    private readonly generations: GenerationModel,
  ) {}

  /** `now` in milliseconds since the epoch. */
  async purge(now = Date.now()): Promise<void> {
    const before = new Date(now - this.config.TEXT_RETENTION_S * 1_000);
    let removed = 0;
    for (const tenantId of await this.generations.tenantsWithTextsBefore(before)) {
      for (let count = BATCH; count === BATCH; removed += count) {
        count = await this.db.inTenant(tenantId, () => this.generations.purgeTexts(before, BATCH));
      }
    }
    if (removed > 0) this.logger.log({ removed }, 'removed texts whose retention is over');
  }
}
