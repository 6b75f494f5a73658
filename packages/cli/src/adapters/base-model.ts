import { z } from 'zod';
import type { ApiClient } from '../api-client.js';
import { CliError, EXIT } from '../cli-error.js';

const modelsSchema = z.object({ baseModels: z.array(z.object({ id: z.string() })) });

const normal = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/**
 * The base model's id: the one that was asked for, else the one that the adapter's config names by the end of its name or
 * path, else the only one there is.
 */
export async function chooseBaseModel(api: ApiClient, asked: string | undefined, named: string | null): Promise<string> {
  if (asked !== undefined) return asked;
  const ids = (await api.ask(modelsSchema, '{ baseModels { id } }')).baseModels.map(({ id }) => id);
  const last = named?.split(/[/\\]/).findLast((part) => part !== '') ?? '';
  const found = ids.find((id) => normal(id) === normal(last)) ?? (ids.length === 1 ? ids[0] : undefined);
  if (found === undefined) throw new CliError(`--base-model: expected one of ${ids.join(', ')}`, EXIT.usage);
  return found;
}
