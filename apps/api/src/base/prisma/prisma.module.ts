import { Global, Module } from '@nestjs/common';
import { ClsPluginTransactional } from '@nestjs-cls/transactional';
import { TransactionalAdapterPrisma } from '@nestjs-cls/transactional-adapter-prisma';
import { ClsModule } from 'nestjs-cls';
import { PoolMetrics } from './pool-metrics.js';
import { IdentityPrisma, PrismaService } from './prisma.service.js';
import { TenantDatabase } from './tenant-database.js';

@Global()
@Module({
  providers: [PoolMetrics, PrismaService, IdentityPrisma],
  exports: [PrismaService, IdentityPrisma],
})
export class PrismaClientsModule {}

@Global()
@Module({
  imports: [
    PrismaClientsModule,
    ClsModule.forRoot({
      global: true,
      plugins: [
        new ClsPluginTransactional({
          imports: [PrismaClientsModule],
          adapter: new TransactionalAdapterPrisma<PrismaService>({ prismaInjectionToken: PrismaService }),
        }),
      ],
    }),
  ],
  providers: [TenantDatabase],
  exports: [TenantDatabase],
})
export class PrismaModule {}
