import { Module } from '@nestjs/common';
import { UsageResolver, UsageRowsResolver } from './usage.resolver.js';
import { UsageService } from './usage.service.js';

@Module({ providers: [UsageService, UsageResolver, UsageRowsResolver] })
export class UsageModule {}
