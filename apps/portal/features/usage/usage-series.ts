import type { UsageQuery } from '@/lib/api/generated/graphql';
import { nanoUsdToDecimal } from '@/lib/format/money';

export type UsageRow = UsageQuery['tenant']['usage']['rows'][number];
export type Measure = 'tokens' | 'requests' | 'amount';

/** More colours than this cannot be told apart; the targets with the least share one series. */
const SERIES_MAX = 7;
export const OTHERS = 'Others';

export const SERIES_COLORS = ['garnet.7', 'amber.5', 'leaf.6', 'garnet.3', 'blue.5', 'grape.5', 'cyan.6', 'gray.5'];

export const measureOf = (row: UsageRow, measure: Measure): number =>
  measure === 'tokens'
    ? row.promptTokens + row.completionTokens
    : measure === 'requests'
      ? row.requests
      : Number(nanoUsdToDecimal(row.amount));

export interface UsageChart {
  /** One entry per day, with the measure under each series' name. */
  data: Record<string, string | number>[];
  series: { name: string; label: string; color: string }[];
}

/** Whether there is nothing to draw: an axis without values would be made up. */
export const isFlat = ({ data, series }: UsageChart): boolean =>
  series.every(({ name }) => data.every((day) => !day[name]));

/**
 * Stacks of a bar chart. Series are keyed by position ("s0"), as a slug may hold dots, which the chart reads as a
 * path into its data.
 */
export const toChart = (rows: readonly UsageRow[], days: readonly string[], measure: Measure): UsageChart => {
  const totals = new Map<string, number>();
  for (const row of rows) totals.set(row.target, (totals.get(row.target) ?? 0) + measureOf(row, measure));
  const ranked = [...totals].sort(([, a], [, b]) => b - a).map(([target]) => target);
  const own = ranked.length > SERIES_MAX + 1 ? ranked.slice(0, SERIES_MAX) : ranked;
  const names = own.length < ranked.length ? [...own, OTHERS] : own;
  const keyOf = (target: string): string => `s${own.includes(target) ? own.indexOf(target) : own.length}`;

  const byDay = new Map(
    days.map((day) => [day, Object.fromEntries(names.map((_, index) => [`s${index}`, 0]))]),
  );
  for (const row of rows) {
    const stack = byDay.get(row.day);
    const key = keyOf(row.target);
    if (stack) stack[key] = (stack[key] ?? 0) + measureOf(row, measure);
  }
  return {
    data: [...byDay].map(([day, stack]) => ({ day, ...stack })),
    series: names.map((label, index) => ({
      name: `s${index}`,
      label,
      color: SERIES_COLORS[index] ?? 'gray.5',
    })),
  };
};
