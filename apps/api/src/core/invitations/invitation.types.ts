import { Field, ID, ObjectType, registerEnumType } from '@nestjs/graphql';
import type { Role } from '../../base/auth/caller.js';
import { RoleEnum, UserType } from '../tenant/tenant.types.js';

export const InvitationStateEnum = { OPEN: 'OPEN', EXPIRED: 'EXPIRED', ACCEPTED: 'ACCEPTED', DECLINED: 'DECLINED', REVOKED: 'REVOKED' } as const;
export type InvitationState = keyof typeof InvitationStateEnum;
registerEnumType(InvitationStateEnum, { name: 'InvitationState' });

@ObjectType('Invitation')
export class InvitationType {
  @Field(() => ID, { description: "Its link is the portal's /invitations/<id>; whoever has it, and the invited address, is let in." })
  id!: string;

  @Field(() => String)
  email!: string;

  @Field(() => RoleEnum)
  role!: Role;

  @Field(() => UserType, { nullable: true, description: 'null: no member any more.' })
  inviter!: UserType | null;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date)
  expiresAt!: Date;
}

@ObjectType('InvitationPreview')
export class InvitationPreviewType {
  @Field(() => ID)
  id!: string;

  @Field(() => InvitationStateEnum)
  state!: InvitationState;

  @Field(() => String)
  tenantName!: string;

  @Field(() => String)
  inviterName!: string;

  @Field(() => RoleEnum)
  role!: Role;

  @Field(() => String, { description: 'The invited address with its name hidden: enough to know which of one\'s own it is.' })
  emailHint!: string;

  @Field(() => Date)
  expiresAt!: Date;
}
