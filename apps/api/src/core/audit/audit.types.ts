import { Field, ID, InputType, ObjectType, registerEnumType } from '@nestjs/graphql';
import { GraphQLJSON } from 'graphql-scalars';
import { connectionOf } from '../../base/graphql/connection.js';
import type { AuditActorType } from '../../models/audit-event.model.js';

export const AuditActorTypeEnum = { USER: 'USER', API_KEY: 'API_KEY', SYSTEM: 'SYSTEM' } as const satisfies Record<AuditActorType, AuditActorType>;
registerEnumType(AuditActorTypeEnum, { name: 'AuditActorType' });

@ObjectType({ description: 'Who made a change, as they were called then.' })
export class AuditActor {
  @Field(() => AuditActorTypeEnum)
  type!: AuditActorType;

  @Field(() => ID, { nullable: true, description: "A user's or an API key's; null: the system." })
  id!: string | null;

  @Field(() => String)
  name!: string;

  @Field(() => String, { nullable: true, description: "A person's e-mail address, an API key's prefix." })
  handle!: string | null;
}

@ObjectType({ description: 'What was changed, as it was called then.' })
export class AuditResource {
  @Field(() => String, { description: 'What an action begins with.' })
  type!: string;

  @Field(() => ID)
  id!: string;

  @Field(() => String)
  label!: string;

  @Field(() => Boolean, { description: 'Whether it still is there.' })
  exists!: boolean;
}

@ObjectType('AuditChange', { description: 'One field that became another. null: there was, or is, none.' })
export class AuditChangeType {
  @Field(() => String)
  field!: string;

  @Field(() => GraphQLJSON, { nullable: true })
  before!: unknown;

  @Field(() => GraphQLJSON, { nullable: true })
  after!: unknown;
}

@ObjectType('AuditEvent', { description: 'One change. Written with it, in one transaction, and never changed.' })
export class AuditEventType {
  @Field(() => ID)
  id!: string;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => AuditActor)
  actor!: AuditActor;

  @Field(() => String, { description: '`auditActions` lists them.' })
  action!: string;

  @Field(() => AuditResource)
  resource!: AuditResource;

  @Field(() => [AuditChangeType])
  changes!: AuditChangeType[];

  @Field(() => String, { nullable: true, description: 'The x-request-id of the answer.' })
  requestId!: string | null;

  @Field(() => String, { nullable: true })
  ipAddress!: string | null;

  @Field(() => String, { nullable: true })
  userAgent!: string | null;
}

@ObjectType()
export class AuditEventConnection extends connectionOf(AuditEventType, 'AuditEvent') {}

@InputType({ description: 'What is left out, or null, is no condition.' })
export class AuditFilter {
  @Field(() => AuditActorTypeEnum, { nullable: true })
  actorType?: AuditActorType | null;

  @Field(() => ID, { nullable: true })
  actorId?: string | null;

  @Field(() => String, { nullable: true })
  action?: string | null;

  @Field(() => String, { nullable: true })
  resourceType?: string | null;

  @Field(() => ID, { nullable: true })
  resourceId?: string | null;

  @Field(() => Date, { nullable: true, description: 'Inclusive.' })
  from?: Date | null;

  @Field(() => Date, { nullable: true, description: 'Exclusive.' })
  to?: Date | null;
}

@ObjectType('AuditAction')
export class AuditActionType {
  @Field(() => String)
  name!: string;

  @Field(() => String, { description: 'For people.' })
  label!: string;
}
