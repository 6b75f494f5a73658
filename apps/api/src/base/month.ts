/** UTC calendar months, written "YYYY-MM". Rows name them by their first day. */
/** There is no year 0, and Postgres says so. */
const FORM = /^(?!0000)\d{4}-(0[1-9]|1[0-2])$/;

export const isMonth = (text: string): boolean => FORM.test(text);

export const monthOf = (time: Date): string => time.toISOString().slice(0, 7);

export const startOf = (month: string): Date => new Date(`${month}-01T00:00:00.000Z`);

/** The first instant that is not of the month any more. */
export function endOf(month: string): Date {
  const end = startOf(month);
  end.setUTCMonth(end.getUTCMonth() + 1);
  return end;
}

/** "October 2026" */
export const nameOf = (month: string): string =>
  startOf(month).toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' });
