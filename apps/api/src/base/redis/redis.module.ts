import { Global, Module } from '@nestjs/common';
import { RedisService } from './redis.service.js';
import { Schedules } from './schedules.js';

@Global()
@Module({ providers: [RedisService, Schedules], exports: [RedisService, Schedules] })
export class RedisModule {}
