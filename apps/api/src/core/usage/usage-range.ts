import { z } from 'zod';

const DAY_MS = 86_400_000;
const DAYS_MAX = 366;

/** What a report is of: `from` inclusive, `to` exclusive. */
export const usageRangeSchema = z
  .object({ from: z.date(), to: z.date() })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'expected a time after `from`' })
  .refine(({ from, to }) => to.getTime() - from.getTime() <= DAYS_MAX * DAY_MS, {
    path: ['to'],
    message: `expected at most ${DAYS_MAX} days after \`from\``,
  });
