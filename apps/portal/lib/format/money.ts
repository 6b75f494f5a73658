/** Amounts are 10⁻⁹ US dollars in decimal strings; BigInt throughout, as sums outgrow what a JSON number holds. */
const NANO_PER_USD = 1_000_000_000n;

export const sumNanoUsd = (amounts: readonly string[]): string =>
  amounts.reduce((sum, amount) => sum + BigInt(amount), 0n).toString();

/** The exact amount in dollars, without trailing zeros: for exports. */
export const nanoUsdToDecimal = (nano: string): string => {
  const value = BigInt(nano);
  const sign = value < 0n ? '-' : '';
  const abs = value < 0n ? -value : value;
  const fraction = (abs % NANO_PER_USD).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${abs / NANO_PER_USD}${fraction ? `.${fraction}` : ''}`;
};

/** The other way: "12.5" → 12500000000. Null: not an amount of dollars. */
export const decimalToNanoUsd = (usd: string): string | null => {
  const [, whole, fraction = ''] = /^(\d{1,9})(?:\.(\d{0,9}))?$/.exec(usd) ?? [];
  return whole === undefined ? null : BigInt(whole + fraction.padEnd(9, '0')).toString();
};

/**
 * For people: cents from one dollar on, and below that as many places as keep two digits that count,
 * since one answer of a small model costs a few millionths of a dollar.
 */
export const formatNanoUsd = (nano: string): string => {
  const usd = Number(nanoUsdToDecimal(nano));
  if (usd === 0) return '$0.00';
  const places = Math.abs(usd) >= 1 ? 2 : Math.min(9, Math.max(2, 1 - Math.floor(Math.log10(Math.abs(usd)))));
  return usd.toLocaleString('en-US', {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: Math.min(places, 2),
    maximumFractionDigits: places,
  });
};

/** As statements write amounts: to the millionth of a dollar, to which their lines are rounded. */
export const formatBilledUsd = (nano: string): string =>
  Number(nanoUsdToDecimal(nano)).toLocaleString('en-US', {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: 6,
  });

/** A price per token as prices are quoted: dollars per million tokens. */
export const formatPricePerMillion = (nanoPerToken: string): string =>
  formatNanoUsd((BigInt(nanoPerToken) * 1_000_000n).toString());
