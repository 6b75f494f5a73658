/**
 * Orders of the list of adapters, and cursors that hold in them: a cursor names its order, its row's value and its row,
 * so that pages go on at the same place whatever was added, deleted or used meanwhile.
 */
import { Field, InputType, registerEnumType } from '@nestjs/graphql';
import { ArilError, textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../../base/graphql/connection.js';
import { parseJson } from '../../base/parse-json.js';
import type { AdapterOrder, AdapterPosition, AdapterRow } from '../../models/adapter.model.js';

export const AdapterOrderField = { NAME: 'NAME', CREATED_AT: 'CREATED_AT', LAST_USED_AT: 'LAST_USED_AT' } as const;
registerEnumType(AdapterOrderField, { name: 'AdapterOrderField' });
export const OrderDirection = { ASC: 'ASC', DESC: 'DESC' } as const;
registerEnumType(OrderDirection, { name: 'OrderDirection' });

@InputType('AdapterOrder', { description: 'Adapters that were never used come last either way.' })
export class AdapterOrderInput {
  @Field(() => AdapterOrderField)
  field!: keyof typeof AdapterOrderField;

  @Field(() => OrderDirection)
  direction!: keyof typeof OrderDirection;
}

export const NEWEST_FIRST: AdapterOrder = { field: 'createdAt', direction: 'desc' };

const FIELDS = { NAME: 'name', CREATED_AT: 'createdAt', LAST_USED_AT: 'lastUsedAt' } as const;

export const toAdapterOrder = ({ field, direction }: AdapterOrderInput): AdapterOrder => ({
  field: FIELDS[field],
  direction: direction === 'ASC' ? 'asc' : 'desc',
});

const cursorSchema = z.discriminatedUnion('field', [
  z.object({ field: z.literal('name'), value: textWithoutNul, id: z.uuid() }),
  z.object({ field: z.literal('lastUsedAt'), value: z.iso.datetime().nullable(), id: z.uuid() }),
]);

/** That of the order by creation is as it was before there were others. */
export function adapterCursor({ field }: AdapterOrder, row: AdapterRow): string {
  if (field === 'createdAt') return encodeCursor(row);
  return Buffer.from(JSON.stringify({ field, value: row[field], id: row.id })).toString('base64url');
}

/** @throws BAD_INPUT for what is no cursor, and for one of another order. */
export function decodeAdapterCursor({ field }: AdapterOrder, cursor: string): AdapterPosition {
  if (field === 'createdAt') {
    const { createdAt, id } = decodeCursor(cursor);
    return { value: createdAt, id };
  }
  const found = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString())).data;
  if (found?.field !== field) throw new ArilError('BAD_INPUT', 'after: expected a cursor of an earlier page in the same order', 'after');
  return { value: found.field === 'lastUsedAt' && found.value !== null ? new Date(found.value) : found.value, id: found.id };
}
