import { Args, ID, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { type Caller, CurrentCaller, Public } from '../../base/auth/caller.js';
import { Mailer } from '../../integrations/mail/mailer.js';
import { TenantType } from '../tenant/tenant.types.js';
import { mayListInvitations } from './invitation.policy.js';
import { InvitationService } from './invitation.service.js';
import { InvitationPreviewType, InvitationType } from './invitation.types.js';

@Resolver(() => TenantType)
export class InvitationResolver {
  constructor(
    private readonly service: InvitationService,
    private readonly mailer: Mailer,
  ) {}

  @ResolveField(() => [InvitationType], { description: 'Open invitations, of the roles that the caller decides on.' })
  invitations(@CurrentCaller() caller: Caller): Promise<InvitationType[]> {
    mayListInvitations(caller);
    return this.service.open(caller);
  }

  @ResolveField(() => Boolean, { description: 'Whether invitations are also sent by e-mail; otherwise whoever invites hands the link on.' })
  mailsInvitations(): boolean {
    return this.mailer.sends;
  }

  @Public()
  @Query(() => InvitationPreviewType, { nullable: true, description: 'What an invitation\'s link leads to. Needs no sign-in.' })
  invitation(@Args('id', { type: () => ID }) id: string): Promise<InvitationPreviewType | null> {
    return this.service.preview(id);
  }
}
