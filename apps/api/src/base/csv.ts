import { stringify } from 'csv-stringify/sync';

export type CsvCell = string | number | bigint | null;

/** RFC 4180. Names are people's own words: what a spreadsheet would run as a formula begins with an apostrophe. */
export const csv = (rows: readonly (readonly CsvCell[])[]): string =>
  stringify(rows.map((row) => [...row]), { record_delimiter: 'windows', escape_formulas: true });
