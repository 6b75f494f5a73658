import { ERROR_CODES, type ErrorCode } from '@aril/contracts';
import { Counter, gaugeOf, Registry } from '@aril/metrics';
import { Injectable } from '@nestjs/common';
import { reportError } from '../../base/errors/error-report.js';
import type { GenerationRow } from '../../models/generation.model.js';
import { TenantActivity } from './tenant-activity.js';

/** What becomes of the generations that are asked for. Of tenants there are numbers here, never names. */
@Injectable()
export class GenerationMetrics {
  private readonly admitted: Counter<'base_model' | 'target'>;
  private readonly refused: Counter<'code'>;
  private readonly swept: Counter<'reason'>;
  private readonly activity = new TenantActivity();

  constructor(private readonly registry: Registry) {
    const registers = [registry];
    this.admitted = new Counter({ name: 'aril_api_generations_admitted_total', help: 'Generations admitted, by what was asked for.', labelNames: ['base_model', 'target'], registers });
    this.refused = new Counter({ name: 'aril_api_generations_refused_total', help: 'Generations refused before they were queued, by the code of the error.', labelNames: ['code'], registers });
    this.swept = new Counter({ name: 'aril_api_generations_swept_total', help: 'Generations ended by housekeeping because nobody else did, by why.', labelNames: ['reason'], registers });
    // Rates of what has not happened yet are 0, not missing.
    for (const code of Object.keys(ERROR_CODES)) this.refused.inc({ code }, 0);
    for (const reason of ['TIMED_OUT', 'RUNNER_LOST', 'OVERLOADED', 'INTERNAL', 'API_LOST']) this.swept.inc({ reason }, 0);
    gaugeOf(registry, { name: 'aril_api_active_tenants', help: 'Tenants that this process admitted generations of in the last five minutes.' }, () => this.activity.summary().tenants);
    gaugeOf(registry, { name: 'aril_api_largest_tenant_ratio', help: 'Of these generations, the share of the tenant with the most.' }, () => this.activity.summary().largestShare);
  }

  /** Counts what goes wrong on the way to the queue. */
  async refusals<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.refused.inc({ code: reportError(error, '').code });
      throw error;
    }
  }

  noteAdmitted({ tenantId, baseModelId, deploymentId, adapterId }: GenerationRow): void {
    const target = deploymentId !== null ? 'deployment' : adapterId !== null ? 'adapter' : 'base_model';
    this.admitted.inc({ base_model: baseModelId, target });
    this.activity.note(tenantId);
  }

  noteSwept(reason: ErrorCode | 'API_LOST'): void {
    this.swept.inc({ reason });
  }

  /** Answers that are waited for by somebody in this process. */
  watchStreams(count: () => number): void {
    gaugeOf(this.registry, { name: 'aril_api_open_streams', help: 'Followers of generations: streams, subscriptions and answers waited for.' }, count);
  }
}
