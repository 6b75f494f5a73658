/** Budgets are of calendar months in UTC, whatever the customer's time zone: from the first instant to that of the next. */

/** The first day, YYYY-MM-01. */
export const monthOf = (time: Date): string => `${time.toISOString().slice(0, 7)}-01`;

/** When the next month begins. */
export const monthEnd = (time: Date): Date => new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1, 1));
