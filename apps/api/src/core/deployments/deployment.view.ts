/** Rows as the API shows them. */
import type { DeploymentRow } from '../../models/deployment.model.js';
import { toAdapterView } from '../adapters/adapter.view.js';
import type { DeploymentType } from './deployment.types.js';

/** What the field resolvers of a deployment start from; only the declared fields are visible. */
export interface DeploymentView extends DeploymentType {
  row: DeploymentRow;
}

export function toDeploymentView(row: DeploymentRow): DeploymentView {
  const { id, slug, name, description, baseModelId, createdAt, updatedAt } = row;
  const total = row.variants.reduce((sum, { weight }) => sum + weight, 0);
  const variants = row.variants.map(({ id: variantId, adapter, weight }) => ({
    id: variantId,
    target: adapter?.slug ?? baseModelId,
    adapter: adapter && toAdapterView(adapter),
    weight,
    share: weight / total,
  }));
  return { row, id, slug, name, description, variants, createdAt, updatedAt };
}
