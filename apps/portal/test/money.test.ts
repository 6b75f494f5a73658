import { expect, it } from 'vitest';
import {
  decimalToNanoUsd,
  formatBilledUsd,
  formatNanoUsd,
  formatPricePerMillion,
  nanoUsdToDecimal,
  sumNanoUsd,
} from '@/lib/format/money';

it('is exact beyond what a number holds', () => {
  expect(nanoUsdToDecimal('9007199254740993000000001')).toBe('9007199254740993.000000001');
  expect(sumNanoUsd(['9007199254740993', '1'])).toBe('9007199254740994');
  expect(nanoUsdToDecimal('-1500000000')).toBe('-1.5');
});

it.each([
  ['0', '$0.00'],
  ['1', '$0.000000001'],
  ['2380', '$0.0000024'],
  ['1234567890', '$1.23'],
  ['50000000', '$0.05'],
])('shows %s nano-dollars as %s', (nano, shown) => expect(formatNanoUsd(nano)).toBe(shown));

it.each([
  ['0', '$0.000000'],
  ['79000', '$0.000079'],
  ['1234567890123000', '$1,234,567.890123'],
])('writes %s nano-dollars on a statement as %s', (nano, written) => expect(formatBilledUsd(nano)).toBe(written));

it('quotes prices per million tokens', () => expect(formatPricePerMillion('20')).toBe('$0.02'));

it.each([
  ['12', '12000000000'],
  ['12.5', '12500000000'],
  ['0.000000001', '1'],
  ['999999999.', '999999999000000000'],
  ['', null],
  ['-1', null],
  ['1e3', null],
  ['0.0000000001', null],
])('reads %j dollars as %s', (usd, nano) => expect(decimalToNanoUsd(usd)).toBe(nano));
