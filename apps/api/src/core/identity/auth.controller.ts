import { All, Controller, Inject, Req, Res } from '@nestjs/common';
import { toNodeHandler } from 'better-auth/node';
import type { Request, Response } from 'express';
import { Public } from '../../base/auth/caller.js';
import { AUTH, type Auth, AUTH_PATH, CLIENT_ADDRESS_HEADER } from './auth.js';
import { IdentityOutage } from './identity-outage.js';

/** Hands sign-up, sign-in, sessions and tenant administration to Better Auth, with the body unread. */
@Public()
@Controller(AUTH_PATH)
export class AuthController {
  private readonly handler: ReturnType<typeof toNodeHandler>;

  constructor(@Inject(AUTH) auth: Auth, outage: IdentityOutage) {
    this.handler = toNodeHandler(async (request) => {
      const answer = await auth.handler(request);
      if (!answer.ok) outage.rethrow();
      return answer;
    });
  }

  @All('*path')
  async handle(@Req() request: Request, @Res() response: Response): Promise<void> {
    // Express has judged the proxies' headers; Better Auth would believe anyone's.
    request.headers[CLIENT_ADDRESS_HEADER] = request.ip;
    request.headers['x-forwarded-proto'] = request.protocol === 'https' ? 'https' : 'http';
    await this.handler(request, response);
  }
}
