/** From the variants that are asked for to rows: targets become adapters, and variants that go on keep their ids. */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { AdapterModel } from '../../models/adapter.model.js';
import type { DeploymentRow, NewVariant } from '../../models/deployment.model.js';
import type { AskedVariant } from './deployment-input.js';

type Present = Pick<DeploymentRow, 'baseModelId'> & { variants: Pick<DeploymentRow['variants'][number], 'id' | 'adapterId'>[] };

@Injectable()
export class DeploymentVariants {
  constructor(private readonly adapters: AdapterModel) {}

  /**
   * `present`: the deployment as it is; without variants, where it is new. Inside a transaction that holds the
   * tenant's target names, so that no adapter goes meanwhile.
   * @throws naming the variant at fault
   */
  async resolve(asked: readonly AskedVariant[], present: Present): Promise<NewVariant[]> {
    const resolved: NewVariant[] = [];
    for (const [index, { id, target, weight }] of asked.entries()) {
      const adapterId = await this.adapterId(target, present.baseModelId, `variants.${index}.target`);
      if (id && !present.variants.some((variant) => variant.id === id)) {
        refuse(`variants.${index}.id`, 'expected the id of a variant of this deployment');
      }
      resolved.push({ id: id ?? undefined, adapterId, weight });
    }
    return withIds(resolved, present.variants);
  }

  /** null: the base model itself. */
  private async adapterId(target: string, baseModelId: string, field: string): Promise<string | null> {
    const adapter = await this.adapters.findBySlug(target);
    if (!adapter && target === baseModelId) return null;
    if (!adapter) refuse(field, `found "${target}", expected an adapter's slug or the base model "${baseModelId}"`);
    if (adapter.baseModelId !== baseModelId) {
      refuse(field, `"${target}" is an adapter of "${adapter.baseModelId}", expected one of "${baseModelId}"`);
    }
    if (adapter.status !== 'READY') {
      throw new ArilError('ADAPTER_NOT_READY', `${field}: "${target}" is ${adapter.status}, expected an adapter that is READY`, field);
    }
    return adapter.id;
  }
}

/** One asked for without an id is the present variant with the same adapter, unless that one is to become another. */
function withIds(asked: readonly NewVariant[], present: Present['variants']): NewVariant[] {
  const claimed = new Set(asked.map(({ id }) => id));
  return asked.map((variant) => {
    const same = present.find(({ id, adapterId }) => adapterId === variant.adapterId && !claimed.has(id));
    return { ...variant, id: variant.id ?? same?.id };
  });
}

function refuse(field: string, why: string): never {
  throw new ArilError('BAD_INPUT', `${field}: ${why}`, field);
}
