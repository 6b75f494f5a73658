import { addDiskMetrics, gaugesOf, Registry } from '@aril/metrics';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../base/config/config.js';
import { HealthService } from './health.service.js';

/** What `/ready` asks, asked once for each scrape; and the disk that uploads wait on. */
@Injectable()
export class DependencyMetrics {
  constructor(registry: Registry, health: HealthService, @Inject(CONFIG) { UPLOADS_DIR }: Config) {
    const up = { name: 'aril_api_dependency_up', help: '1: Postgres, Redis or the object store answered within two seconds, 0: it did not.', labelNames: ['service'] as const };
    gaugesOf(registry, up, async () => {
      const checks = Object.entries(await health.check());
      return checks.map(([service, { ok }]) => ({ labels: { service: SERVICES[service] ?? service }, value: ok ? 1 : 0 }));
    });
    const disk = { name: 'aril_api_disk_bytes', help: "The uploads folder's disk: what it holds in all, and what is free for us." };
    addDiskMetrics(registry, disk, UPLOADS_DIR);
  }
}

const SERVICES: Record<string, string> = { objectStore: 'object_store' };
