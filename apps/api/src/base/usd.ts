/** Nano-dollars in words; BigInt throughout, as sums outgrow what a number holds exactly. */
const NANO_PER_USD = 1_000_000_000n;

/** What amounts and prices are in. */
export const CURRENCY = 'USD';

/** In dollars, to the last nano-dollar, without trailing zeros: for machines. */
export function exactUsd(nano: bigint): string {
  const fraction = (nano % NANO_PER_USD).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nano / NANO_PER_USD}${fraction && `.${fraction}`}`;
}

/** "$1,234.56": exact, with cents at least. Amounts of a single request are millionths. */
export function dollars(nano: bigint): string {
  const [whole = '0', fraction = ''] = exactUsd(nano).split('.');
  return `$${grouped(BigInt(whole))}.${fraction.padEnd(2, '0')}`;
}

/** "$1,234.567890": rounded amounts have six places, all of which are shown so that columns line up. */
export const roundedDollars = (nano: bigint): string =>
  `$${grouped(nano / NANO_PER_USD)}.${((nano % NANO_PER_USD) / 1_000n).toString().padStart(6, '0')}`;

/** "1,234" */
export const grouped = (count: bigint): string => count.toLocaleString('en-US');
