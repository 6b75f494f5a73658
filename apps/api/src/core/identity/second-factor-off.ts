import type { INestApplicationContext } from '@nestjs/common';
import { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { AUTH, type Auth } from './auth.js';
import { forgetDevices } from './second-factor.js';

/** For an operator, when somebody has lost app and backup codes. @returns whether there was a second factor; null: nobody has that address */
export async function turnOffSecondFactor(app: INestApplicationContext, email: string): Promise<boolean | null> {
  const { internalAdapter, adapter } = await app.get<Auth>(AUTH).$context;
  const found = await internalAdapter.findUserByEmail(email);
  if (!found) return null;
  const { id } = found.user;
  await internalAdapter.updateUser(id, { twoFactorEnabled: false });
  const gone = await adapter.deleteMany({ model: 'twoFactor', where: [{ field: 'userId', value: id }] });
  await forgetDevices(app.get(IdentityPrisma), id);
  return gone > 0;
}
