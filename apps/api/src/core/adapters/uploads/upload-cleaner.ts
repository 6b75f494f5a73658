import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG, type Config } from '../../../base/config/config.js';
import { INSPECTION_PREFIX, UploadFolder } from './upload-folder.js';

const INTERVAL_MS = 60 * 60 * 1000;

/**
 * Removes what nobody will come back for: uploads that were not continued before they expired, and what a process
 * that died in the middle left behind. Rows that waited for them go when their tenant next makes an adapter.
 */
@Injectable()
export class UploadCleaner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(UploadCleaner.name);
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly folder: UploadFolder,
  ) {}

  onApplicationBootstrap(): void {
    void this.run();
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async run(): Promise<void> {
    try {
      const removed = await this.sweep();
      if (removed > 0) this.logger.log({ removed }, 'removed abandoned uploads');
    } catch (error) {
      this.logger.warn({ err: error }, 'could not sweep the uploads');
    }
  }

  /** An upload's last byte, not its creation, starts its clock: a slow line is not an abandoned upload. */
  async sweep(now = Date.now()): Promise<number> {
    let removed = 0;
    for (const entry of await readdir(this.folder.path)) {
      const path = join(this.folder.path, entry);
      const found = await stat(path).catch(() => null);
      if (!found || now - found.mtimeMs < this.config.UPLOAD_EXPIRY_S * 1000) continue;
      if (entry.startsWith(INSPECTION_PREFIX)) await rm(path, { recursive: true, force: true });
      else if (!entry.endsWith('.json')) await this.folder.remove(entry);
      else if (!(await stat(path.slice(0, -'.json'.length)).catch(() => null))) await rm(path, { force: true });
      else continue;
      removed++;
    }
    return removed;
  }
}
