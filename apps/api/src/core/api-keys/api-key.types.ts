import { Field, ID, InputType, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import type { Permission } from '../../base/auth/permissions.js';
import type { TargetKind } from './key-targets.js';
import { LimitsInput } from '../limits/limits.types.js';

export const PermissionEnum = {
  FULL: 'full',
  INFERENCE: 'inference',
  ADAPTERS_READ: 'adapters:read',
  ADAPTERS_WRITE: 'adapters:write',
  USAGE_READ: 'usage:read',
} as const satisfies Record<string, Permission>;
registerEnumType(PermissionEnum, {
  name: 'ApiKeyPermission',
  valuesMap: {
    FULL: { description: 'All that keys may do.' },
    INFERENCE: { description: '`/v1`, and to generate, follow and cancel in GraphQL.' },
    ADAPTERS_READ: { description: 'To see adapters, deployments and storage.' },
    ADAPTERS_WRITE: { description: 'To bring, change and delete adapters and deployments, and to see them.' },
    USAGE_READ: { description: "To see usage, statements, and the tenant's limits, budget and billing details." },
  },
});

@ObjectType({ description: 'What a key had before it was rotated, and which still works.' })
export class PreviousSecret {
  @Field(() => String, { description: 'The first characters.' })
  prefix!: string;

  @Field(() => Date)
  worksUntil!: Date;

  @Field(() => Date, { nullable: true, description: 'To the minute, also from before the rotation: once it stands still, nothing uses it any more.' })
  lastUsedAt!: Date | null;
}

export const TargetKindEnum = { ADAPTER: 'ADAPTER', DEPLOYMENT: 'DEPLOYMENT', BASE_MODEL: 'BASE_MODEL' } as const satisfies Record<TargetKind, TargetKind>;
registerEnumType(TargetKindEnum, { name: 'TargetKind' });

@ObjectType('ApiKeyTarget')
export class ApiKeyTargetType {
  @Field(() => ID)
  id!: string;

  @Field(() => TargetKindEnum)
  kind!: TargetKind;

  @Field(() => String, { description: "What requests name: a slug, or the base model's id." })
  target!: string;
}

/** `targets` are resolved apart. */
@ObjectType('ApiKey')
export class ApiKeyType {
  /** Not of the schema; null: all. */
  targetIds!: readonly string[] | null;

  @Field(() => ID)
  id!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String, { description: 'The first characters, to tell keys apart.' })
  prefix!: string;

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date, { nullable: true, description: 'With whichever secret. To the minute.' })
  lastUsedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  expiresAt!: Date | null;

  @Field(() => [PermissionEnum])
  permissions!: Permission[];

  @Field(() => Date, { nullable: true, description: 'With the present secret; null: not since the key was rotated. To the minute.' })
  secretLastUsedAt!: Date | null;

  @Field(() => PreviousSecret, { nullable: true })
  previousSecret!: PreviousSecret | null;
}

@InputType()
export class CreateApiKeyInput {
  @Field(() => String)
  name!: string;

  @Field(() => Date, { nullable: true })
  expiresAt?: Date | null;

  @Field(() => LimitsInput, { nullable: true, description: "Tighter than the tenant's; those hold as well." })
  limits?: LimitsInput | null;

  @Field(() => [PermissionEnum], { nullable: true, description: 'Left out: FULL.' })
  permissions?: Permission[] | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Slugs of adapters and deployments, and ids of base models: what the key may name, a deployment with all its variants. Left out: everything.',
  })
  targets?: string[] | null;
}

@ObjectType()
export class CreateApiKeyPayload {
  @Field(() => ApiKeyType)
  apiKey!: ApiKeyType;

  @Field(() => String, { description: 'Shown this once.' })
  secret!: string;
}

@InputType()
export class RevokeApiKeyInput {
  @Field(() => ID)
  apiKeyId!: string;
}

@ObjectType()
export class RevokeApiKeyPayload {
  @Field(() => ID)
  apiKeyId!: string;
}

@ObjectType()
export class UpdateApiKeyLimitsPayload {
  @Field(() => ApiKeyType)
  apiKey!: ApiKeyType;
}

@InputType()
export class RotateApiKeyInput {
  @Field(() => ID)
  apiKeyId!: string;

  @Field(() => Int, { nullable: true, description: 'How long the present secret still works: 0 (not at all) to 2592000 (30 days); left out: 86400.' })
  graceSeconds?: number | null;
}

@ObjectType()
export class RotateApiKeyPayload extends CreateApiKeyPayload {}

@InputType()
export class UpdateApiKeyPermissionsInput {
  @Field(() => ID)
  apiKeyId!: string;

  @Field(() => [PermissionEnum], { description: 'In the place of those it has.' })
  permissions!: Permission[];
}

@ObjectType()
export class UpdateApiKeyPermissionsPayload {
  @Field(() => ApiKeyType)
  apiKey!: ApiKeyType;
}

@InputType()
export class UpdateApiKeyTargetsInput {
  @Field(() => ID)
  apiKeyId!: string;

  @Field(() => [String], { nullable: true, description: 'In the place of those it has; null, which must be said: everything.' })
  targets?: string[] | null;
}

@ObjectType()
export class UpdateApiKeyTargetsPayload {
  @Field(() => ApiKeyType)
  apiKey!: ApiKeyType;
}
