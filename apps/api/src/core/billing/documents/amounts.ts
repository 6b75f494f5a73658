/** Nano-dollars as documents write them; BigInt throughout, as sums outgrow what a number holds exactly. */
const NANO_PER_USD = 1_000_000_000n;

/** In dollars, to the last nano-dollar, without trailing zeros: for machines. */
export function exactUsd(nano: bigint): string {
  const fraction = (nano % NANO_PER_USD).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nano / NANO_PER_USD}${fraction && `.${fraction}`}`;
}

/** "$1,234.567890": rounded amounts have six places, all of which are shown so that columns line up. */
export const printedUsd = (nano: bigint): string =>
  `$${printedCount(nano / NANO_PER_USD)}.${((nano % NANO_PER_USD) / 1_000n).toString().padStart(6, '0')}`;

/** Prices are quoted in dollars per million tokens: "$0.02". */
export function printedPrice(nanoPerToken: bigint): string {
  const [whole = '0', fraction = ''] = exactUsd(nanoPerToken * 1_000_000n).split('.');
  return `$${printedCount(BigInt(whole))}.${fraction.padEnd(2, '0')}`;
}

export const printedCount = (count: bigint): string => count.toLocaleString('en-US');
