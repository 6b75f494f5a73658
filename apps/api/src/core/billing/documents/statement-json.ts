import { lineContent } from '../statement-content.js';
import { totalsOf } from '../statement-totals.js';
import type { FullStatement } from '../statement.view.js';

/** Amounts and counts are decimal strings, as they may exceed what a JSON number holds; amounts are nano-dollars. */
export function statementJson(statement: FullStatement): string {
  const { id, month, status, number, currency, issuer, billTo, issuedAt, contentSha256, lines } = statement;
  const totals = Object.fromEntries(Object.entries(totalsOf(lines)).map(([name, sum]) => [name, sum.toString()]));
  const document = { id, month, status, number, currency, issuer, billTo, issuedAt, totals, contentSha256, lines: lines.map(lineContent) };
  return `${JSON.stringify(document, null, 2)}\n`;
}
