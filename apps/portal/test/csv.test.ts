import { expect, it } from 'vitest';
import { toCsv } from '@/features/usage/csv';

it('quotes what RFC 4180 says must be quoted', () => {
  expect(
    toCsv(
      ['a', 'b'],
      [
        ['x,y', 'say "hi"'],
        ['two\nlines', 3],
      ],
    ),
  ).toBe('a,b\r\n"x,y","say ""hi"""\r\n"two\nlines",3\r\n');
});

it('keeps a spreadsheet from running a cell, and numbers as numbers', () => {
  expect(toCsv(['v'], [['=1+1'], ['@x'], [-5], ['-0.5']])).toBe("v\r\n'=1+1\r\n'@x\r\n-5\r\n-0.5\r\n");
});
