import { Global, Module } from '@nestjs/common';
import { RedisMemory } from './redis-memory.js';
import { RedisService } from './redis.service.js';

@Global()
@Module({ providers: [RedisService, RedisMemory], exports: [RedisService, RedisMemory] })
export class RedisModule {}
