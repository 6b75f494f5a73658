/** Ids as OpenAI writes them: what they are of, and ours. */
import { ArilError } from '@aril/contracts';
import { isUuid } from '../../base/uuid.js';

export const fileId = (id: string): string => `file-${id}`;
export const batchId = (id: string): string => `batch_${id}`;

/** null: no such id is ever given. */
export const uuidOfFile = (id: string): string | null => uuidAfter('file-', id);
export const uuidOfBatch = (id: string): string | null => uuidAfter('batch_', id);

function uuidAfter(prefix: string, id: string): string | null {
  const uuid = id.startsWith(prefix) ? id.slice(prefix.length) : '';
  return isUuid(uuid) ? uuid.toLowerCase() : null;
}

export function noSuchFile(id: string, field: string): never {
  throw new ArilError('NOT_FOUND', `${field}: there is no file ${JSON.stringify(id.slice(0, 80))}`, field);
}

export function noSuchBatch(id: string, field: string): never {
  throw new ArilError('NOT_FOUND', `${field}: there is no batch ${JSON.stringify(id.slice(0, 80))}`, field);
}
