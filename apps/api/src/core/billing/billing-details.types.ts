import { Field, InputType, ObjectType } from '@nestjs/graphql';

@ObjectType({ description: 'Whom statements are addressed to. What is not known is empty.' })
export class BillingDetails {
  @Field(() => String, { description: "Empty: the tenant's own name stands on statements." })
  legalName!: string;

  @Field(() => String, { description: 'In lines.' })
  address!: string;

  @Field(() => String)
  taxId!: string;

  @Field(() => String)
  email!: string;
}

@InputType({ description: 'What is not given stays as it is.' })
export class UpdateBillingDetailsInput {
  @Field(() => String, { nullable: true })
  legalName?: string | null;

  @Field(() => String, { nullable: true })
  address?: string | null;

  @Field(() => String, { nullable: true })
  taxId?: string | null;

  @Field(() => String, { nullable: true })
  email?: string | null;
}

@ObjectType()
export class UpdateBillingDetailsPayload {
  @Field(() => BillingDetails)
  billingDetails!: BillingDetails;
}
