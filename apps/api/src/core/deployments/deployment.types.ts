import { Field, Float, ID, InputType, Int, ObjectType } from '@nestjs/graphql';
import { connectionOf } from '../../base/graphql/connection.js';
import { AdapterType } from '../adapters/adapter.types.js';

@ObjectType('DeploymentVariant')
export class DeploymentVariantType {
  @Field(() => ID, { description: 'Stays the same when the weight changes or another adapter takes its place: users are routed by it.' })
  id!: string;

  @Field(() => String, { description: "The adapter's slug, or the id of the base model." })
  target!: string;

  @Field(() => AdapterType, { nullable: true, description: 'null: the base model itself.' })
  adapter!: AdapterType | null;

  @Field(() => Int)
  weight!: number;

  @Field(() => Float, { description: 'Of the requests, 0 to 1: its weight among all.' })
  share!: number;
}

/** `baseModel` and `comparison` are resolved apart. */
@ObjectType('Deployment')
export class DeploymentType {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'Unique among the tenant\'s adapters and deployments; the `target` or `model` of a request.' })
  slug!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String)
  description!: string;

  @Field(() => [DeploymentVariantType])
  variants!: DeploymentVariantType[];

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date)
  updatedAt!: Date;
}

@ObjectType()
export class DeploymentConnection extends connectionOf(DeploymentType, 'Deployment') {}

@InputType()
export class DeploymentVariantInput {
  @Field(() => ID, {
    nullable: true,
    description: 'The variant to keep, with whatever target: its users stay with it. Left out: the one that has this target, else a new one.',
  })
  id?: string | null;

  @Field(() => String, { description: "The slug of a READY adapter of the deployment's base model, or that model's id." })
  target!: string;

  @Field(() => Int, { description: '0 to 1000; one of all must be above 0.' })
  weight!: number;
}

@InputType()
export class CreateDeploymentInput {
  @Field(() => String, { description: "2–63 of a–z, 0–9, '-', '_', '.'; starts with a letter or digit." })
  slug!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => String, { nullable: true })
  description?: string | null;

  @Field(() => ID, { description: 'Of all variants; it cannot be changed later.' })
  baseModelId!: string;

  @Field(() => [DeploymentVariantInput], { description: '1 to 16.' })
  variants!: DeploymentVariantInput[];
}

@InputType()
export class UpdateDeploymentInput {
  @Field(() => ID)
  deploymentId!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => String, { nullable: true })
  description?: string | null;

  @Field(() => [DeploymentVariantInput], { nullable: true, description: 'All of them, where they are to change.' })
  variants?: DeploymentVariantInput[] | null;
}

@InputType()
export class DeleteDeploymentInput {
  @Field(() => ID)
  deploymentId!: string;
}

@ObjectType()
export class CreateDeploymentPayload {
  @Field(() => DeploymentType)
  deployment!: DeploymentType;
}

@ObjectType()
export class UpdateDeploymentPayload {
  @Field(() => DeploymentType)
  deployment!: DeploymentType;
}

@ObjectType()
export class DeleteDeploymentPayload {
  @Field(() => ID)
  deploymentId!: string;
}
