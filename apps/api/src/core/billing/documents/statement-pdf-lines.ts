import type { Content } from 'pdfmake';
import { monthOf, nameOf } from '../../../base/month.js';
import { dollars, grouped, roundedDollars } from '../../../base/usd.js';
import type { StatementLineRow } from '../../../models/statement.model.js';
import { totalsOf } from '../statement-totals.js';
import type { FullStatement } from '../statement.view.js';

const GREY = '#666666';
const HEADINGS = ['Requests', 'Failed', 'Tokens in', 'Cached', 'Tokens out', 'Per million', 'Amount'];

const right = (text: string): Content => ({ text, alignment: 'right', noWrap: true });
const bold = (text: string): Content => ({ text, alignment: 'right', bold: true, noWrap: true });

const perMillion = (nanoUsdPerToken: bigint): string => dollars(nanoUsdPerToken * 1_000_000n);

/** Long ids may break anywhere rather than push the figures off the paper. */
const breakable = (text: string): string => text.replace(/[-._/]/g, '$&\u200b');

function what(line: StatementLineRow, month: string): Content {
  const used = monthOf(line.servicePeriod);
  const key = line.apiKeyId === null ? 'People in the portal' : `Key ${line.apiKeyName ?? line.apiKeyId}`;
  const variant = line.variant === null ? [] : [`answered by ${breakable(line.variant)}`];
  const model = [line.target, line.variant].includes(line.baseModelId) ? [] : [breakable(line.baseModelId)];
  const details = [...variant, ...model, key].join(' · ');
  const adjustment = used === month ? [] : [{ text: `Adjustment: used in ${nameOf(used)}`, italics: true, fontSize: 8 }];
  return { stack: [{ text: breakable(line.target), bold: true }, { text: details, color: GREY, fontSize: 8 }, ...adjustment] };
}

const rowOf = (line: StatementLineRow, month: string): Content[] => [
  what(line, month),
  right(grouped(line.requests)),
  right(grouped(line.failedRequests)),
  right(grouped(line.promptTokens)),
  right(grouped(line.cachedTokens)),
  right(grouped(line.completionTokens)),
  { stack: [right(`${perMillion(line.promptNanoUsdPerToken)} in`), right(`${perMillion(line.completionNanoUsdPerToken)} out`)] },
  right(roundedDollars(line.amountNanoUsd)),
];

/** The head comes again on every page, and no line is torn in two. */
export function lineTable({ lines, month }: FullStatement): Content {
  if (lines.length === 0) return { text: 'Nothing was used in this month.', color: GREY };
  const sums = totalsOf(lines);
  const counts = [sums.requests, sums.failedRequests, sums.promptTokens, sums.cachedTokens, sums.completionTokens];
  const head: Content[] = ['What', ...HEADINGS].map((text, index) => ({ text, color: GREY, fontSize: 8, noWrap: true, alignment: index ? 'right' : 'left' }));
  const foot: Content[] = [{ text: 'Sum', bold: true }, ...counts.map((count) => bold(grouped(count))), '', bold(roundedDollars(sums.amountNanoUsd))];
  return {
    fontSize: 8.5,
    table: {
      headerRows: 1,
      dontBreakRows: true,
      widths: ['*', 'auto', 'auto', 'auto', 'auto', 'auto', 'auto', 'auto'],
      body: [head, ...lines.map((line) => rowOf(line, month)), foot],
    },
    layout: {
      hLineWidth: (row, node) => (row === 0 || row === node.table.body.length ? 0 : row === 1 || row === node.table.body.length - 1 ? 1 : 0.5),
      hLineColor: (row, node) => (row === 1 || row === node.table.body.length - 1 ? '#333333' : '#dddddd'),
      vLineWidth: () => 0,
      paddingTop: () => 4,
      paddingBottom: () => 4,
      paddingLeft: (column) => (column === 0 ? 0 : 5),
      paddingRight: (column, node) => (column === (node.table.body[0]?.length ?? 0) - 1 ? 0 : 5),
    },
  };
}
