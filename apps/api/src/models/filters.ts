/** Conditions that several models' queries have in common. */
import type { Position } from '../base/graphql/connection.js';
import { isUuid } from '../base/uuid.js';

/** Rows that a newest-first page after `position` begins with. */
export const olderThan = (position: Position | null) =>
  position
    ? { OR: [{ createdAt: { lt: position.createdAt } }, { createdAt: position.createdAt, id: { lt: position.id } }] }
    : {};

/** Prisma makes `contains` a LIKE and leaves its wildcards as they are. */
const literally = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

/** Rows with `search` in what people call them. */
export function named(search: string | null | undefined) {
  if (!search) return {};
  const contains = { contains: literally(search), mode: 'insensitive' as const };
  return { OR: [{ slug: contains }, { name: contains }, { description: contains }] };
}

/** Rows among those; null: all. What is no id of a row is passed over. */
export const among = (ids: readonly string[] | null | undefined) => (ids ? { id: { in: ids.filter(isUuid) } } : {});
