import { Field, Float, ID, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionOf } from '../../base/graphql/connection.js';
import { NanoUsdScalar } from '../../base/graphql/scalars.js';
import type { StatementStatus } from './statement.view.js';

const StatementStatusEnum = { PREVIEW: 'PREVIEW', ISSUED: 'ISSUED' } as const satisfies Record<StatementStatus, StatementStatus>;
registerEnumType(StatementStatusEnum, { name: 'StatementStatus' });

@ObjectType({ description: 'Whom a statement is addressed to: as it was when it was issued.' })
export class BillTo {
  @Field(() => String)
  tenantName!: string;

  @Field(() => String)
  legalName!: string;

  @Field(() => String)
  address!: string;

  @Field(() => String)
  taxId!: string;

  @Field(() => String)
  email!: string;
}

@ObjectType()
export class StatementTotalsType {
  @Field(() => Float)
  requests!: number;

  @Field(() => Float)
  failedRequests!: number;

  @Field(() => Float)
  promptTokens!: number;

  @Field(() => Float, { description: 'Of the prompt tokens, those found computed; they cost the same.' })
  cachedTokens!: number;

  @Field(() => Float)
  completionTokens!: number;

  @Field(() => NanoUsdScalar, { description: 'Tokens times price.' })
  exactAmount!: bigint;

  @Field(() => NanoUsdScalar, { description: 'Rounded once per line, to the millionth of a dollar.' })
  amount!: bigint;
}

/** `lines`, `line` and `totals` are resolved apart. */
@ObjectType('Statement', { description: 'What a UTC calendar month costs. Once issued it never changes; download it at /statements/<id>.pdf, .csv or .json.' })
export class StatementType {
  @Field(() => ID, { description: 'Of a preview: its month, which also finds the statement once it is issued.' })
  id!: string;

  @Field(() => String, { description: 'YYYY-MM' })
  month!: string;

  @Field(() => StatementStatusEnum)
  status!: StatementStatus;

  @Field(() => String, { nullable: true })
  number!: string | null;

  @Field(() => String)
  currency!: string;

  @Field(() => String)
  issuer!: string;

  @Field(() => BillTo)
  billTo!: BillTo;

  @Field(() => Date, { nullable: true })
  issuedAt!: Date | null;

  @Field(() => Int)
  lineCount!: number;

  @Field(() => NanoUsdScalar, { description: 'Tokens times price: the sum of the ledger.' })
  exactAmount!: bigint;

  @Field(() => NanoUsdScalar, { description: 'The sum of the lines’ rounded amounts.' })
  amount!: bigint;

  @Field(() => String, { nullable: true, description: "Of the lines as the JSON download has them: jq -c '.lines[]' | sha256sum" })
  contentSha256!: string | null;
}

@ObjectType()
export class StatementConnection extends connectionOf(StatementType, 'Statement') {}
