/** Why a statement's amount is not quite what the usage page says. */
export const ROUNDING = 'USD; each line is rounded once, to the millionth';
