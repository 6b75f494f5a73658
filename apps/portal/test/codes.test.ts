import { describe, expect, it } from 'vitest';
import { appCode, backupCode } from '../features/session/codes';

describe('codes', () => {
  it.each([['123456', '123456'], [' 123 456 ', '123456']])('of an app: %j', (typed, code) => {
    expect(appCode.parse(typed)).toBe(code);
  });
  it.each(['12345', '1234567', '12345a', ''])('of an app are six digits: %j is not', (typed) => {
    expect(appCode.safeParse(typed).success).toBe(false);
  });
  it.each([['aB3dE-6gH1j', 'aB3dE-6gH1j'], ['aB3dE6gH1j', 'aB3dE-6gH1j'], [' aB3dE 6gH1j ', 'aB3dE-6gH1j']])('for backup: %j', (typed, code) => {
    expect(backupCode.parse(typed)).toBe(code);
  });
  it.each(['aB3dE-6gH1', 'aB3d-E6gH1j', '123456'])('for backup are ten letters and digits: %j is not', (typed) => {
    expect(backupCode.safeParse(typed).success).toBe(false);
  });
});
