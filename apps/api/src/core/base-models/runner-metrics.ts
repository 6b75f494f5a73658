import { gaugesOf, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import { BaseModelService } from './base-model.service.js';
import { RunnerDirectory } from './runner-directory.js';

/** Which base models have somebody to run them, as the API sees it: also of runners that no scraper reaches any more. */
@Injectable()
export class RunnerMetrics {
  constructor(registry: Registry, runners: RunnerDirectory, models: BaseModelService) {
    const online = { name: 'aril_api_runners_online', help: 'Runners of a base model that were heard of in the last 15 seconds.', labelNames: ['base_model'] as const };
    gaugesOf(registry, online, async () => {
      const counts = await runners.online();
      return models.list().map(({ id }) => ({ labels: { base_model: id }, value: counts.get(id) ?? 0 }));
    });
  }
}
