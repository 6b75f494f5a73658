/** Of answers of `/v1`: what gave it, which `model` alone need not say. */
export const VARIANT_HEADER = 'x-aril-variant';
