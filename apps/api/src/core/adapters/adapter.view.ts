/** Rows as the API shows them. */
import type { AdapterRow } from '../../models/adapter.model.js';
import type { AdapterProblemType, AdapterSummaryType, AdapterType } from './adapter.types.js';

/** What the field resolvers of an adapter start from; only the declared fields are visible. */
export interface AdapterView extends AdapterType {
  row: AdapterRow;
}

/** `summary` and `problems` were written by us from `inspectAdapter`'s report, so their shape is known. */
export function toAdapterView(row: AdapterRow): AdapterView {
  const { id, slug, name, description, status, sha256, createdAt, lastUsedAt } = row;
  return {
    row,
    id,
    slug,
    name,
    description,
    status,
    // While UPLOADING the hash may already be noted, but nothing stands behind it yet.
    sha256: status === 'READY' ? sha256 : null,
    bytes: Number(row.bytes),
    summary: row.summary as unknown as AdapterSummaryType | null,
    problems: row.problems as unknown as AdapterProblemType[],
    createdAt,
    lastUsedAt,
  };
}
