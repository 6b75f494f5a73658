const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Postgres fails on an id that is none, where the caller should hear that there is no such thing. */
export const isUuid = (text: string): boolean => UUID.test(text);
