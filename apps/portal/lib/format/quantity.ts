const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export const formatBytes = (bytes: number): string => {
  const power = Math.min(
    BINARY_UNITS.length - 1,
    Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)),
  );
  const value = bytes / 1024 ** power;
  return `${value.toLocaleString('en-US', { maximumFractionDigits: power === 0 || value >= 100 ? 0 : 1 })} ${BINARY_UNITS[power]}`;
};

/** Whole numbers in full: 12,345. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** Short form for tiles and axes: 12.3K. */
export const formatCompact = (count: number): string =>
  count.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });

/** A part of a whole, 0 to 1, in percent. */
export const formatShare = (share: number): string =>
  share.toLocaleString('en-US', { style: 'percent', maximumFractionDigits: 1 });

export const formatDurationMs = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;

/**
 * A number alone, of four digits or more; parts of names, dates and decimals are left. So are lists in brackets, such
 * as a tensor's shape, where a comma already means something else.
 */
const LIST_OR_LONG_NUMBER = /\[[^\]]*\]|(?<![\w.,#-])\d{4,}(?![\w-]|[,.]\d)/g;

/** A sentence of the API with its long numbers as people read them. */
export const withSeparators = (text: string): string =>
  text.replace(LIST_OR_LONG_NUMBER, (found) =>
    found.startsWith('[') ? found : Number(found).toLocaleString('en-US'),
  );
