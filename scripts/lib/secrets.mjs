/** What is generated once and must stay: kept in one file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const random = () => randomBytes(32).toString('base64url');

/** @param {string} home @returns {{ authSecret: string, databasePassword: string }} */
export function provideSecrets(home) {
  const file = join(home, 'secrets.json');
  let kept = {};
  try {
    if (existsSync(file)) kept = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Cut short by a crash: sessions and keys made with the lost secret are void, and seeding makes new ones.
  }
  const secrets = {
    authSecret: kept.authSecret ?? random(),
    databasePassword: kept.databasePassword ?? random(),
  };
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return secrets;
}
