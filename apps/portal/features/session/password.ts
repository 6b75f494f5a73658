import { z } from 'zod';

/** A password to be set, within the API's limits. */
export const newPassword = z.string().min(8, 'At least 8 characters').max(128, 'At most 128 characters');
