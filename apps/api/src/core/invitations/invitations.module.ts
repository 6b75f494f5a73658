import { Module } from '@nestjs/common';
import { InvitationResolver } from './invitation.resolver.js';
import { InvitationService } from './invitation.service.js';

@Module({ providers: [InvitationService, InvitationResolver] })
export class InvitationsModule {}
