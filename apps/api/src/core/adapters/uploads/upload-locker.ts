/**
 * tus asks that one request at a time works on an upload. The lock is in Redis, because the next request may reach
 * another copy of the API; a holder that died loses it by time.
 */
import { Injectable } from '@nestjs/common';
import { ERRORS, type Lock, type Locker, type RequestRelease } from '@tus/server';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisService } from '../../../base/redis/redis.service.js';

/** How long a holder that says nothing more keeps the lock. */
const HELD_MS = 10_000;
/** How often a holder renews, and looks whether someone waits. */
const RENEW_MS = 500;
/** Longer than `HELD_MS`, so that a client can go on after a crash without an error. */
const WAIT_MS_MAX = 15_000;
const RETRY_MS = 50;

const RELEASE_IF_MINE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;
const RENEW_IF_MINE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0`;

@Injectable()
export class UploadLocker implements Locker {
  constructor(private readonly redis: RedisService) {}

  newLock(id: string): Lock {
    return new UploadLock(id, this.redis);
  }
}

class UploadLock implements Lock {
  private readonly token = randomUUID();
  private readonly held: string;
  private readonly wanted: string;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    id: string,
    private readonly redis: RedisService,
  ) {
    this.held = `aril:upload:${id}:held`;
    this.wanted = `aril:upload:${id}:wanted`;
  }

  /** Whoever waits asks the holder to stop: usually that is the same client's earlier, broken connection. */
  async lock(signal: AbortSignal, requestRelease: RequestRelease): Promise<void> {
    const deadline = Date.now() + WAIT_MS_MAX;
    while (!(await this.redis.client.set(this.held, this.token, 'PX', HELD_MS, 'NX'))) {
      if (signal.aborted || Date.now() > deadline) throw ERRORS.ERR_LOCK_TIMEOUT;
      await this.redis.client.set(this.wanted, '1', 'PX', 4 * RENEW_MS);
      await sleep(RETRY_MS);
    }
    this.timer = setInterval(() => void this.renew(requestRelease).catch(() => undefined), RENEW_MS).unref();
  }

  async unlock(): Promise<void> {
    clearInterval(this.timer);
    await this.redis.client.eval(RELEASE_IF_MINE, 1, this.held, this.token);
  }

  private async renew(requestRelease: RequestRelease): Promise<void> {
    const mine = await this.redis.client.eval(RENEW_IF_MINE, 1, this.held, this.token, HELD_MS);
    // Lost, because this process or Redis was away for too long: another request may be writing already.
    if (!mine || (await this.redis.client.getdel(this.wanted))) await requestRelease();
  }
}
