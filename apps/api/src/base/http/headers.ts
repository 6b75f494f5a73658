/** Of answers of `/v1`: what gave it, which `model` alone need not say. */
export const VARIANT_HEADER = 'x-aril-variant';

/** OpenAI's: how far a rate is used. */
export const rateHeaders = (unit: 'requests' | 'tokens') => ({
  limit: `x-ratelimit-limit-${unit}`,
  remaining: `x-ratelimit-remaining-${unit}`,
  reset: `x-ratelimit-reset-${unit}`,
});
