import { Controller, Get, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Public } from '../../base/auth/caller.js';
import { HealthService } from './health.service.js';

@Public()
@Controller()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  /** Live: the process answers. Restart it when it does not. */
  @Get('health')
  live(): { status: string } {
    return { status: 'ok' };
  }

  /** Ready: every service behind it answers too. Send it no requests while one does not. */
  @Get('ready')
  async ready(@Res() response: Response): Promise<void> {
    const checks = await this.health.check();
    const ok = Object.values(checks).every((check) => check.ok);
    response.status(ok ? 200 : 503).json({ status: ok ? 'ok' : 'unavailable', checks });
  }
}
