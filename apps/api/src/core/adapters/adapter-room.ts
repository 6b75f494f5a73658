/** Whether an adapter of a size may be brought: how it is said is the same for uploads and imports. */
import { ArilError } from '@aril/contracts';
import type { Config } from '../../base/config/config.js';

export interface Excess {
  code: 'PAYLOAD_TOO_LARGE' | 'QUOTA_EXCEEDED';
  found: string;
  expected: string;
}

type Limits = Pick<Config, 'ADAPTER_BYTES_MAX' | 'TENANT_STORAGE_BYTES_MAX'>;

/** `used`: what the tenant has already. null: there is room. */
export function excessOf(bytes: number, used: number, { ADAPTER_BYTES_MAX: each, TENANT_STORAGE_BYTES_MAX: all }: Limits): Excess | null {
  const found = `${bytes} bytes`;
  if (bytes > each) return { code: 'PAYLOAD_TOO_LARGE', found, expected: `at most ${each}` };
  if (used + bytes > all) return { code: 'QUOTA_EXCEEDED', found, expected: `at most the ${Math.max(0, all - used)} that are left of ${all}` };
  return null;
}

export function refuseExcess(excess: Excess | null): void {
  if (excess) throw new ArilError(excess.code, `files: found ${excess.found}, expected ${excess.expected}`, 'files');
}
