import { Injectable } from '@nestjs/common';
import { ClsService } from 'nestjs-cls';
import { isUnreachable } from '../../base/errors/unreachable.js';
import type { IdentityPrisma } from '../../base/prisma/prisma.service.js';
import { lastOwnerRefusal } from './last-owner.js';

const OUTAGE = Symbol('outage of the identity tables during this request');

/**
 * Better Auth swallows what its database said: an outage becomes "failed to get session" here and "not signed in"
 * there. The client it is given therefore notes an outage in the request's context, where its callers can ask.
 */
@Injectable()
export class IdentityOutage {
  constructor(private readonly cls: ClsService) {}

  /** The client for Better Auth. Rules that the database holds are refusals in Better Auth's words. */
  watch(prisma: IdentityPrisma) {
    return prisma.$extends({
      query: {
        $allOperations: async ({ args, query }) => {
          try {
            return (await query(args)) as unknown;
          } catch (error) {
            if (this.cls.isActive() && isUnreachable(error)) this.cls.set(OUTAGE, error);
            throw lastOwnerRefusal(error) ?? error;
          }
        },
      },
    });
  }

  /** @throws the outage, when there was one: then whatever Better Auth answered is its consequence. */
  rethrow(): void {
    const outage = this.cls.isActive() ? this.cls.get<unknown>(OUTAGE) : undefined;
    if (outage) throw outage as Error;
  }
}
