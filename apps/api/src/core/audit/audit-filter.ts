/** What of the log is asked for, by GraphQL's arguments or an export's query string. */
import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { isAuditAction, RESOURCE_TYPES } from './audit-actions.js';

/** An empty value of a query string is no condition. */
const optional = <S extends z.ZodType>(schema: S) => z.preprocess((value) => (value === '' ? null : value), schema.nullish());

/** GraphQL has made a date of it; of a query string's it takes what GraphQL takes. */
const instant = z.union([z.date(), z.iso.datetime({ offset: true }).transform((text) => new Date(text))], 'expected a time in ISO 8601, as in 2026-01-31T00:00:00Z');
const time = instant.refine((given) => given.getUTCFullYear() >= 1 && given.getUTCFullYear() <= 9999, 'expected a year from 0001 to 9999');

export const auditFilterSchema = z
  .strictObject({
    actorType: optional(z.enum(['USER', 'API_KEY', 'SYSTEM'], 'expected one of USER, API_KEY, SYSTEM')),
    actorId: optional(z.uuid('expected an id')),
    action: optional(textWithoutNul.refine(isAuditAction, 'expected an action, as `auditActions` lists them')),
    resourceType: optional(z.enum(RESOURCE_TYPES, `expected one of ${RESOURCE_TYPES.join(', ')}`)),
    resourceId: optional(z.uuid('expected an id')),
    from: optional(time),
    to: optional(time),
  })
  .refine(({ from, to }) => !from || !to || from < to, { path: ['to'], message: 'expected a time after `from`' });
