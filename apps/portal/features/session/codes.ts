import { z } from 'zod';

/** As people type them: apps show a gap in the middle. */
const withoutGaps = z.string().transform((code) => code.replace(/\s/g, ''));

/** Six digits of an authenticator app. */
export const appCode = withoutGaps.pipe(z.string().regex(/^\d{6}$/, 'Enter the six digits that the app shows'));

/** Two groups of five, with a hyphen between that may be left out. */
export const backupCode = withoutGaps
  .pipe(z.string().regex(/^[a-z\d]{5}-?[a-z\d]{5}$/i, 'Enter ten letters and digits, as in aB3dE-6gH1j'))
  .transform((code) => (code.includes('-') ? code : `${code.slice(0, 5)}-${code.slice(5)}`));
