import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CallerGuard } from '../../base/auth/caller.guard.js';
import { CallerResolver } from '../../base/auth/caller.js';
import { CONFIG, type Config } from '../../base/config/config.js';
import { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { RedisService } from '../../base/redis/redis.service.js';
import { Mailer } from '../../integrations/mail/mailer.js';
import { ApiKeysModule } from '../api-keys/api-keys.module.js';
import { AUTH, createAuth } from './auth.js';
import { AuthController } from './auth.controller.js';
import { AuthRateLimit } from './auth-rate-limit.js';
import { IdentityDirectory } from './identity-directory.js';
import { IdentityOutage } from './identity-outage.js';
import { SessionCallerResolver } from './session-caller-resolver.js';

@Global()
@Module({
  imports: [ApiKeysModule],
  controllers: [AuthController],
  providers: [
    IdentityDirectory,
    IdentityOutage,
    {
      provide: AUTH,
      inject: [CONFIG, IdentityPrisma, IdentityOutage, RedisService, Mailer],
      useFactory: (config: Config, prisma: IdentityPrisma, outage: IdentityOutage, redis: RedisService, mailer: Mailer) =>
        createAuth(config, { rows: outage.watch(prisma), storage: new AuthRateLimit(redis), mailer }),
    },
    { provide: CallerResolver, useClass: SessionCallerResolver },
    { provide: APP_GUARD, useClass: CallerGuard },
  ],
  exports: [AUTH, CallerResolver, IdentityDirectory],
})
export class IdentityModule {}
