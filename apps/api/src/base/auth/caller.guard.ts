import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { requestOf } from '../http/api-request.js';
import { actorOf, CallerResolver, PUBLIC_KEY } from './caller.js';
import { setActor } from './request-identity.js';

/** Global: everything needs a caller unless it says `@Public()`. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly callers: CallerResolver,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC_KEY, [context.getHandler(), context.getClass()])) return true;
    const request = requestOf(context);
    request.caller ??= await this.callers.require(request);
    request.onCaller?.(request.caller);
    setActor(actorOf(request.caller));
    return true;
  }
}
