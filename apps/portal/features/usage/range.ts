/** Ranges of whole UTC days, as usage is counted. Days are written "YYYY-MM-DD"; `last` is part of the range. */
export interface DayRange {
  first: string;
  last: string;
}

const DAY_MS = 86_400_000;
/** The API answers for at most this many days. */
export const RANGE_DAYS_MAX = 366;

const atMs = (day: string): number => Date.parse(`${day}T00:00:00.000Z`);
const toDay = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export const lastDays = (count: number, now: Date): DayRange => {
  const today = toDay(now.getTime());
  return { first: toDay(atMs(today) - (count - 1) * DAY_MS), last: today };
};

/** What is wrong with a range someone typed, or null. */
export const rangeProblem = ({ first, last }: DayRange): string | null => {
  if (Number.isNaN(atMs(first))) return 'Choose the first day';
  if (Number.isNaN(atMs(last))) return 'Choose the last day';
  if (first > last) return 'The first day lies after the last';
  return daysOf({ first, last }).length > RANGE_DAYS_MAX ? `At most ${RANGE_DAYS_MAX} days at a time` : null;
};

/** Every day of the range, those without usage too: a chart with holes would lie about time. */
export const daysOf = ({ first, last }: DayRange): string[] => {
  const count = Math.round((atMs(last) - atMs(first)) / DAY_MS) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => toDay(atMs(first) + index * DAY_MS));
};

/** The API's half-open interval of instants. */
export const toInterval = ({ first, last }: DayRange): { from: string; to: string } => ({
  from: new Date(atMs(first)).toISOString(),
  to: new Date(atMs(last) + DAY_MS).toISOString(),
});
