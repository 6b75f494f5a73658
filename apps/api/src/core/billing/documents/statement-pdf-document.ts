/**
 * A statement on paper. Roboto, which comes with pdfmake, has Latin, Greek and Cyrillic letters; others are printed as
 * boxes, and are as they were written in the CSV and JSON downloads.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import pdfmake, { type Block, type Content, type Definition } from 'pdfmake';
import { nameOf } from '../../../base/month.js';
import { roundedDollars } from '../../../base/usd.js';
import { addressee, type FullStatement } from '../statement.view.js';
import { lineTable } from './statement-pdf-lines.js';

const FONTS = join(dirname(createRequire(import.meta.url).resolve('pdfmake/package.json')), 'fonts', 'Roboto');
const font = (name: string): string => join(FONTS, `Roboto-${name}.ttf`);

pdfmake.setFonts({
  Roboto: { normal: font('Regular'), bold: font('Medium'), italics: font('Italic'), bolditalics: font('MediumItalic') },
});
// A document is made of texts only: whatever they say, nothing is fetched and no other file is read.
pdfmake.setUrlAccessPolicy(() => false);
pdfmake.setLocalAccessPolicy((path) => path.startsWith(FONTS));

const GREY = '#666666';

export const statementDocument = (statement: FullStatement): Promise<Buffer> => pdfmake.createPdf(definition(statement)).getBuffer();

function definition(statement: FullStatement): Definition {
  const title = statement.number ? `Statement ${statement.number}` : `Preview of ${nameOf(statement.month)}`;
  const { issuedAt } = statement;
  return {
    info: { title, author: statement.issuer.split('\n', 1)[0] ?? '', ...(issuedAt ? { creationDate: issuedAt } : {}) },
    pageSize: 'A4',
    pageMargins: [40, 44, 40, 56],
    defaultStyle: { font: 'Roboto', fontSize: 9, lineHeight: 1.2 },
    content: [heading(statement), parties(statement), lineTable(statement), total(statement), notes(statement)],
    footer: (page, pages) => ({
      columns: [title, { text: `Page ${page} of ${pages}`, alignment: 'right' }],
      margin: [40, 16, 40, 0],
      fontSize: 8,
      color: GREY,
    }),
  };
}

const day = (time: Date): string => time.toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' });

function heading({ number, month, issuedAt, currency }: FullStatement): Content {
  const facts: [string, string][] = [
    ['Number', number ?? 'not issued yet'],
    ['Period', `${nameOf(month)} (UTC)`],
    issuedAt ? ['Issued', day(issuedAt)] : ['As of', day(new Date())],
    ['Currency', currency],
  ];
  return {
    columns: [
      { text: number ? 'Statement' : 'Preview', fontSize: 22, bold: true, width: '*' },
      {
        width: 'auto',
        layout: 'noBorders',
        table: { body: facts.map(([name, value]) => [{ text: name, color: GREY }, { text: value, alignment: 'right' }]) },
      },
    ],
  };
}

function parties({ issuer, billTo }: FullStatement): Content {
  const [name = '', ...address] = issuer.split('\n');
  const to = [billTo.address, billTo.taxId && `Tax id ${billTo.taxId}`, billTo.email].filter(Boolean).join('\n');
  const party = (label: string, who: string, rest: string): Block => ({
    width: '50%',
    stack: [
      { text: label, color: GREY, fontSize: 8, margin: [0, 0, 0, 2] },
      { text: who, bold: true, fontSize: 11 },
      { text: rest },
    ],
  });
  return {
    columns: [party('From', name, address.join('\n')), party('Billed to', addressee(billTo), to)],
    columnGap: 24,
    margin: [0, 20, 0, 24],
  };
}

function total({ amount, currency }: FullStatement): Content {
  return {
    columns: [
      { text: `Total (${currency})`, alignment: 'right', width: '*' },
      { text: roundedDollars(amount), alignment: 'right', width: 120 },
    ],
    bold: true,
    fontSize: 12,
    margin: [0, 12, 0, 0],
  };
}

function notes({ contentSha256 }: FullStatement): Content {
  const rounding = 'Each line is rounded once, to the millionth of a dollar; the total is the sum of the lines. Failed requests cost nothing.';
  const hash = contentSha256 ? `Content SHA-256: ${contentSha256}` : 'A preview changes until the month is over and its statement is issued.';
  return { stack: [rounding, hash], color: GREY, fontSize: 8, margin: [0, 24, 0, 0] };
}
