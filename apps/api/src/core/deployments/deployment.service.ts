import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { validInput } from '../../base/errors/validate.js';
import type { Page } from '../../base/graphql/connection.js';
import { TenantDatabase } from '../../base/prisma/tenant-database.js';
import { isUuid } from '../../base/uuid.js';
import { type DeploymentFilter, DeploymentModel, type DeploymentRow } from '../../models/deployment.model.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { BaseModelService } from '../base-models/base-model.service.js';
import { TargetNames } from '../targets/target-names.js';
import { createDeploymentSchema, updateDeploymentSchema } from './deployment-input.js';
import { DeploymentVariants } from './deployment-variants.js';

/** Far more than anyone compares by hand; `GET /v1/models` lists them all. */
const DEPLOYMENTS_MAX = 1000;

@Injectable()
export class DeploymentService {
  constructor(
    private readonly database: TenantDatabase,
    private readonly deployments: DeploymentModel,
    private readonly variants: DeploymentVariants,
    private readonly baseModels: BaseModelService,
    private readonly names: TargetNames,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws NOT_FOUND, also for other tenants' deployments. */
  get(tenantId: string, id: string, field = 'id'): Promise<DeploymentRow> {
    return this.database.inTenant(tenantId, () => this.require(id, field));
  }

  findBySlug(tenantId: string, slug: string): Promise<DeploymentRow | null> {
    return this.database.inTenant(tenantId, () => this.deployments.findBySlug(slug));
  }

  page(tenantId: string, filter: DeploymentFilter, { first, after }: Page): Promise<{ rows: DeploymentRow[]; totalCount: number }> {
    return this.database.inTenant(tenantId, async () => ({
      rows: await this.deployments.page(filter, first, after),
      totalCount: await this.deployments.count(filter),
    }));
  }

  create(tenantId: string, input: unknown): Promise<DeploymentRow> {
    const { slug, name, description, baseModelId, variants } = validInput(createDeploymentSchema, input);
    this.baseModels.require(baseModelId, 'baseModelId');
    return this.database.inTenant(tenantId, async () => {
      await this.names.reserve(slug, 'deployment');
      if ((await this.deployments.count({})) >= DEPLOYMENTS_MAX) {
        throw new ArilError('QUOTA_EXCEEDED', `found ${DEPLOYMENTS_MAX} deployments, expected fewer: delete one that is not used any more`);
      }
      const resolved = await this.variants.resolve(variants, { baseModelId, variants: [] });
      const row = { slug, name: name ?? slug, description: description ?? '', baseModelId };
      const created = await this.require(await this.deployments.create(row, resolved), 'id');
      await this.audit.record('deployment.create', labelled(created), { after: { slug, baseModelId, ...fieldsOf(created) } });
      return created;
    });
  }

  /** What is left out stays as it is; variants are given all or not at all. */
  update(tenantId: string, id: string, input: unknown): Promise<DeploymentRow> {
    const { name, description, variants } = validInput(updateDeploymentSchema, input);
    return this.database.inTenant(tenantId, async () => {
      await this.names.lock();
      const present = await this.require(id, 'deploymentId');
      if (variants) await this.deployments.replaceVariants(id, await this.variants.resolve(variants, present));
      await this.deployments.update(id, { name: name ?? undefined, description: description ?? undefined, updatedAt: new Date() });
      const updated = await this.require(id, 'deploymentId');
      await this.audit.record('deployment.update', labelled(updated), { before: fieldsOf(present), after: fieldsOf(updated) });
      return updated;
    });
  }

  /** The row stays for the ledger; generations that were admitted go on, since their variant is chosen. */
  async delete(tenantId: string, id: string): Promise<void> {
    await this.database.inTenant(tenantId, async () => {
      await this.names.lock();
      const row = await this.require(id, 'deploymentId');
      await this.deployments.update(id, { deletedAt: new Date() });
      await this.audit.record('deployment.delete', labelled(row), { before: { slug: row.slug, baseModelId: row.baseModelId, ...fieldsOf(row) } });
    });
  }

  private async require(id: string, field: string): Promise<DeploymentRow> {
    const row = isUuid(id) ? await this.deployments.find(id) : null;
    if (!row) throw new ArilError('NOT_FOUND', `${field}: there is no such deployment`, field);
    return row;
  }
}

const labelled = ({ id, slug }: DeploymentRow) => ({ id, label: slug });

const fieldsOf = ({ name, description, baseModelId, variants }: DeploymentRow) => ({
  name,
  description,
  variants: variants.map(({ adapter, weight }) => ({ target: adapter?.slug ?? baseModelId, weight })),
});
