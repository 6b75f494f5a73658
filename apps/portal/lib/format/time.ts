const RELATIVE_STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/**
 * “3 hours ago”, “in 2 days”; less than a minute either way is “just now”. What has gone by is counted in full, what is
 * to come to the nearest: a key that was made for 90 days expires in 3 months, also a moment later.
 */
export const formatRelative = (iso: string, now: Date = new Date()): string => {
  const seconds = (new Date(iso).getTime() - now.getTime()) / 1_000;
  for (const [unit, size] of RELATIVE_STEPS) {
    if (Math.abs(seconds) >= size) return relative.format((seconds > 0 ? Math.round : Math.trunc)(seconds / size), unit);
  }
  return 'just now';
};

export const formatDateTime = (iso: string): string =>
  new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** Where months are UTC's, so are the times in them. */
export const formatUtcDateTime = (iso: string): string =>
  new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });

export const formatUtcDate = (iso: string): string =>
  new Date(iso).toLocaleDateString('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });

export const formatDate = (iso: string): string =>
  new Date(iso).toLocaleDateString('en-GB', { dateStyle: 'medium' });

/** A UTC day ("2026-03-09") as charts and tables show it. */
export const formatDay = (day: string): string =>
  new Date(`${day}T00:00:00Z`).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  });

/** A UTC month ("2026-03"): “March 2026”. */
export const formatMonth = (month: string): string =>
  new Date(`${month}-01T00:00:00Z`).toLocaleDateString('en-GB', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });

/** As `formatDay`, with the year when it is not this one. */
export const formatDayWithYear = (day: string, now: Date = new Date()): string =>
  day.startsWith(`${now.getUTCFullYear()}-`) ? formatDay(day) : `${formatDay(day)} ${day.slice(0, 4)}`;
