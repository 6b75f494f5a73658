import { Global, Module } from '@nestjs/common';
import { RedisMemory } from './redis-memory.js';
import { RedisService } from './redis.service.js';
import { Schedules } from './schedules.js';

@Global()
@Module({ providers: [RedisService, RedisMemory, Schedules], exports: [RedisService, RedisMemory, Schedules] })
export class RedisModule {}
