import { textWithoutNul } from '@aril/contracts';
import { z } from 'zod';
import { normalPermissions, PERMISSIONS } from '../../base/auth/permissions.js';
import { limitsSchema } from '../limits/limits.service.js';

const DAY_S = 86_400;
/** Time enough to bring a new secret to every machine that has the old one. */
const GRACE_S_DEFAULT = DAY_S;
const GRACE_S_MAX = 30 * DAY_S;

const permissions = z.array(z.enum(PERMISSIONS)).min(1, 'expected at least one permission').transform(normalPermissions);

export const newKeySchema = z.object({
  name: textWithoutNul.trim().min(1, 'expected a name').max(80, 'expected at most 80 characters'),
  expiresAt: z.date().nullish(),
  limits: limitsSchema.nullish(),
  permissions: permissions.nullish().transform((chosen) => chosen ?? normalPermissions(['full'])),
});

export const permissionsSchema = z.object({ permissions });

export const rotationSchema = z.object({
  graceSeconds: z
    .number()
    .int()
    .min(0, 'expected 0 or more')
    .max(GRACE_S_MAX, `expected at most ${GRACE_S_MAX} (30 days)`)
    .nullish()
    .transform((seconds) => seconds ?? GRACE_S_DEFAULT),
});
