import { All, Controller, Inject, Req, Res } from '@nestjs/common';
import { toNodeHandler } from 'better-auth/node';
import type { Request, Response } from 'express';
import { Public } from '../../base/auth/caller.js';
import { AUTH, type Auth, AUTH_PATH, CLIENT_ADDRESS_HEADER } from './auth.js';

/** Hands sign-up, sign-in, sessions and tenant administration to Better Auth, with the body unread. */
@Public()
@Controller(AUTH_PATH)
export class AuthController {
  private readonly handler: ReturnType<typeof toNodeHandler>;

  constructor(@Inject(AUTH) auth: Auth) {
    this.handler = toNodeHandler(auth);
  }

  @All('*path')
  async handle(@Req() request: Request, @Res() response: Response): Promise<void> {
    // Express has judged the proxies' headers; Better Auth would believe anyone's.
    request.headers[CLIENT_ADDRESS_HEADER] = request.ip;
    await this.handler(request, response);
  }
}
