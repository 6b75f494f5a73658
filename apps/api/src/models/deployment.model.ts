import { Injectable } from '@nestjs/common';
import type { Position } from '../base/graphql/connection.js';
import { TenantDatabase } from '../base/prisma/tenant-database.js';
import type { Deployment, DeploymentVariant, Prisma } from '../generated/prisma/client.js';
import type { AdapterRow } from './adapter.model.js';
import { among, named, olderThan } from './filters.js';

export type VariantRow = DeploymentVariant & { adapter: AdapterRow | null };
export type DeploymentRow = Deployment & { variants: VariantRow[] };
/** As much of a deployment as it takes to choose a variant. */
type RouteRow = Pick<Deployment, 'id' | 'baseModelId'> & {
  variants: Pick<DeploymentVariant, 'id' | 'weight' | 'adapterId'>[];
};

export interface DeploymentFilter {
  search?: string | null;
  /** null: all. */
  ids?: readonly string[] | null;
}

export interface NewVariant {
  /** Left out: a new one. */
  id?: string;
  adapterId: string | null;
  weight: number;
}

const WITH_VARIANTS = {
  variants: { orderBy: { position: 'asc' }, include: { adapter: { include: { files: { orderBy: { name: 'asc' } } } } } },
} as const;

/** Deployments and their variants. Deleted ones stay as rows, for the ledger's sake, and are not found here. */
@Injectable()
export class DeploymentModel {
  constructor(private readonly database: TenantDatabase) {}

  find(id: string): Promise<DeploymentRow | null> {
    return this.database.tx.deployment.findFirst({ where: { ...this.live(), id }, include: WITH_VARIANTS });
  }

  findBySlug(slug: string): Promise<DeploymentRow | null> {
    return this.database.tx.deployment.findFirst({ where: { ...this.live(), slug }, include: WITH_VARIANTS });
  }

  route(slug: string): Promise<RouteRow | null> {
    const variants = { select: { id: true, weight: true, adapterId: true } };
    return this.database.tx.deployment.findFirst({
      where: { ...this.live(), slug },
      select: { id: true, baseModelId: true, variants },
    });
  }

  /** Newest first; one row more than `first` when there is another page. */
  page(filter: DeploymentFilter, first: number, after: Position | null): Promise<DeploymentRow[]> {
    return this.database.tx.deployment.findMany({
      where: { AND: [this.matching(filter), olderThan(after)] },
      include: WITH_VARIANTS,
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: first + 1,
    });
  }

  count(filter: DeploymentFilter): Promise<number> {
    return this.database.tx.deployment.count({ where: this.matching(filter) });
  }

  /** Of the whole tenant, deleted ones too. */
  names(): Promise<Pick<Deployment, 'id' | 'slug' | 'deletedAt'>[]> {
    return this.database.tx.deployment.findMany({ where: { tenantId: this.database.tenantId }, select: { id: true, slug: true, deletedAt: true } });
  }

  all(): Promise<Deployment[]> {
    return this.database.tx.deployment.findMany({ where: this.live(), orderBy: { slug: 'asc' } });
  }

  /** Slugs of the deployments that an adapter is a variant of, of whatever weight. */
  async slugsUsing(adapterId: string): Promise<string[]> {
    const { tenantId } = this.database;
    const rows = await this.database.tx.deployment.findMany({
      where: { ...this.live(), variants: { some: { tenantId, adapterId } } },
      select: { slug: true },
      orderBy: { slug: 'asc' },
    });
    return rows.map(({ slug }) => slug);
  }

  async create(
    deployment: Pick<Deployment, 'slug' | 'name' | 'description' | 'baseModelId'>,
    variants: readonly NewVariant[],
  ): Promise<string> {
    const { tenantId } = this.database;
    const { id } = await this.database.tx.deployment.create({ data: { ...deployment, tenantId }, select: { id: true } });
    await this.insertVariants(id, variants);
    return id;
  }

  async update(id: string, data: Prisma.DeploymentUpdateManyMutationInput): Promise<boolean> {
    const { count } = await this.database.tx.deployment.updateMany({ where: { ...this.live(), id }, data });
    return count === 1;
  }

  async replaceVariants(id: string, variants: readonly NewVariant[]): Promise<void> {
    const { tenantId } = this.database;
    await this.database.tx.deploymentVariant.deleteMany({ where: { tenantId, deploymentId: id } });
    await this.insertVariants(id, variants);
  }

  private async insertVariants(deploymentId: string, variants: readonly NewVariant[]): Promise<void> {
    const { tenantId } = this.database;
    await this.database.tx.deploymentVariant.createMany({
      data: variants.map((variant, position) => ({ ...variant, tenantId, deploymentId, position })),
    });
  }

  private matching({ search, ids }: DeploymentFilter): Prisma.DeploymentWhereInput {
    return { ...this.live(), ...among(ids), ...named(search) };
  }

  private live(): { tenantId: string; deletedAt: null } {
    return { tenantId: this.database.tenantId, deletedAt: null };
  }
}
