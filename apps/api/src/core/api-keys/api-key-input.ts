import { lineOfText } from '@aril/contracts';
import { z } from 'zod';
import { normalPermissions, PERMISSIONS } from '../../base/auth/permissions.js';
import { targetSchema } from '../generations/generation-request.js';
import { limitsSchema } from '../limits/limits.service.js';

const DAY_S = 86_400;
/** Time enough to bring a new secret to every machine that has the old one. */
const GRACE_S_DEFAULT = DAY_S;
const GRACE_S_MAX = 30 * DAY_S;

const permissions = z.array(z.enum(PERMISSIONS)).min(1, 'expected at least one permission').transform(normalPermissions);

/** As many as a form can be filled with and an audit log can show. */
const TARGETS_MAX = 256;
const targets = z
  .array(targetSchema, 'expected a list; for all targets, null')
  .min(1, 'expected at least one; for all targets, null')
  .max(TARGETS_MAX, `expected at most ${TARGETS_MAX}: a deployment covers its variants`);

export const newKeySchema = z.object({
  name: lineOfText.trim().min(1, 'expected a name').max(80, 'expected at most 80 characters'),
  expiresAt: z.date().nullish(),
  limits: limitsSchema.nullish(),
  targets: targets.nullish().transform((chosen) => chosen ?? null),
  permissions: permissions.nullish().transform((chosen) => chosen ?? normalPermissions(['full'])),
});

export const permissionsSchema = z.object({ permissions });

/** Not left out, which could be a mistake that opens everything. */
export const targetsSchema = z.object({ targets: targets.nullable() });

export const rotationSchema = z.object({
  graceSeconds: z
    .number()
    .int()
    .min(0, 'expected 0 or more')
    .max(GRACE_S_MAX, `expected at most ${GRACE_S_MAX} (30 days)`)
    .nullish()
    .transform((seconds) => seconds ?? GRACE_S_DEFAULT),
});
