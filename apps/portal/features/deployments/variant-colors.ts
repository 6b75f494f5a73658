import { SERIES_COLORS } from '@/features/usage/usage-series';

/** The same colour for a variant in every bar, chart and table: that of its place. */
export const variantColor = (index: number): string => SERIES_COLORS[index % SERIES_COLORS.length] ?? 'gray.5';

export const variantColors = (targets: readonly string[]): ReadonlyMap<string, string> =>
  new Map(targets.map((target, index) => [target, variantColor(index)]));
