import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { SeedConfig } from '../../base/config/seed-config.js';
import { DemoAdapterService } from './demo-adapter.service.js';
import { DemoDeploymentService } from './demo-deployment.service.js';
import { DemoIdentityService } from './demo-identity.service.js';
import { DEMO_TENANTS, type DemoTenant } from './demo-tenants.js';
import { readSeedOut, type SeededTenant, type SeedOut, writeSeedOut } from './seed-out.js';

/**
 * Makes the demo tenants. Running it again changes nothing; what is missing or does not work any more (a lost
 * password, a void key, a deleted adapter) is made good.
 */
@Injectable()
export class DemoSeeder {
  constructor(
    private readonly identity: DemoIdentityService,
    private readonly adapters: DemoAdapterService,
    private readonly deployments: DemoDeploymentService,
  ) {}

  async seed(config: SeedConfig): Promise<SeedOut> {
    const known = new Map(readSeedOut(config.out).tenants.map((tenant) => [tenant.login, tenant]));
    const tenants: SeededTenant[] = [];
    for (const demo of DEMO_TENANTS) tenants.push(await this.seedTenant(config, demo, known.get(demo.user.email)));
    await writeSeedOut(config.out, { tenants });
    return { tenants };
  }

  private async seedTenant(config: SeedConfig, demo: DemoTenant, known: SeededTenant | undefined): Promise<SeededTenant> {
    const password = config.password ?? known?.password ?? randomBytes(12).toString('base64url');
    const { tenantId, slug, apiKey } = await this.identity.ensure(demo, password, known?.apiKey ?? null);
    for (const adapter of demo.adapters) await this.adapters.ensure(tenantId, adapter, join(config.adaptersDir, adapter.slug));
    for (const deployment of demo.deployments) await this.deployments.ensure(tenantId, deployment);
    const access = { name: demo.name, slug, login: demo.user.email, password, apiKey };
    return { ...access, adapters: slugsOf(demo.adapters), deployments: slugsOf(demo.deployments) };
  }
}

const slugsOf = (ones: readonly { slug: string }[]): string[] => ones.map(({ slug }) => slug);
