const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Whether a disk, or the quota on it, is used up: that of objects in a folder, or of what is on its way to or from a store. */
export const isDiskFull = (error: unknown): boolean => error instanceof Error && 'code' in error && FULL.has(String(error.code));
