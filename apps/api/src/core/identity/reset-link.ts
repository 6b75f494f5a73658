import type { INestApplicationContext } from '@nestjs/common';
import type { Config } from '../../base/config/config.js';
import { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { RedisService } from '../../base/redis/redis.service.js';
import type { Mail } from '../../integrations/mail/mailer.js';
import { createAuth } from './auth.js';
import { AuthRateLimit } from './auth-rate-limit.js';
import { IdentityOutage } from './identity-outage.js';

/**
 * The mail with a link to set a new password that `email` would be sent, for an operator to hand on where no mail server
 * is set up. null: nobody has that address.
 */
export async function makeResetMail(app: INestApplicationContext, config: Config, email: string): Promise<Mail | null> {
  const posted: Mail[] = [];
  const auth = createAuth(config, {
    rows: app.get(IdentityOutage).watch(app.get(IdentityPrisma)),
    storage: new AuthRateLimit(app.get(RedisService)),
    mailer: { sends: true, post: (mail) => void posted.push(mail) },
  });
  await auth.api.requestPasswordReset({ body: { email } });
  return posted[0] ?? null;
}
