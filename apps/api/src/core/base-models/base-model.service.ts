import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { CONFIG, type Config } from '../../base/config/config.js';
import { BaseModelModel, type BaseModelRow } from '../../models/base-model.model.js';
import { type CatalogModel, readCatalog } from './catalog.js';

/** A base model with the price that applies to generations admitted now. */
export interface BaseModel extends CatalogModel {
  priceId: string;
}

/**
 * The catalog, written to the database when the API starts and kept in memory: it changes by a new release only.
 * Models that left the catalog keep their rows, for the ledger's sake, and cannot be used any more.
 */
@Injectable()
export class BaseModelService implements OnModuleInit {
  private readonly models = new Map<string, BaseModel>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly rows: BaseModelModel,
  ) {}

  async onModuleInit(): Promise<void> {
    const catalog = readCatalog(this.config.MODEL_CATALOG);
    await this.rows.upsertAll(catalog.map(({ configPath: _, ...entry }) => entry));
    const rows = new Map((await this.rows.list(catalog.map(({ id }) => id))).map((row) => [row.id, row]));
    for (const model of catalog) this.models.set(model.id, withPrice(model, rows.get(model.id)));
  }

  list(): BaseModel[] {
    return [...this.models.values()];
  }

  find(id: string): BaseModel | null {
    return this.models.get(id) ?? null;
  }

  /** @throws BAD_INPUT naming `field`, with the ids that exist. */
  require(id: string, field: string): BaseModel {
    const model = this.models.get(id);
    if (model) return model;
    const known = [...this.models.keys()].join(', ');
    throw new ArilError('BAD_INPUT', `${field}: found "${id}", expected one of: ${known}`, field);
  }
}

function withPrice(model: CatalogModel, row: BaseModelRow | undefined): BaseModel {
  if (!row) throw new Error(`base model ${model.id}: its row or price is missing right after it was written`);
  return { ...model, priceId: row.price.id };
}
