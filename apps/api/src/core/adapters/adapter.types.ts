import { Field, Float, ID, Int, InputType, ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionOf } from '../../base/graphql/connection.js';

export const AdapterStatusEnum = { UPLOADING: 'UPLOADING', READY: 'READY', REFUSED: 'REFUSED' } as const;
export type AdapterStatus = keyof typeof AdapterStatusEnum;
registerEnumType(AdapterStatusEnum, { name: 'AdapterStatus' });

@ObjectType('AdapterFile')
export class AdapterFileType {
  @Field(() => String)
  name!: string;

  @Field(() => Float)
  bytes!: number;

  @Field(() => Float, { description: 'Bytes received so far.' })
  received!: number;

  @Field(() => String, { nullable: true })
  sha256!: string | null;
}

@ObjectType('AdapterSummary')
export class AdapterSummaryType {
  @Field(() => Int)
  rankMin!: number;

  @Field(() => Int)
  rankMax!: number;

  @Field(() => [String])
  targetModules!: string[];

  @Field(() => Int)
  layers!: number;

  @Field(() => Float)
  parameters!: number;

  @Field(() => String)
  dtype!: string;

  @Field(() => Boolean)
  rslora!: boolean;

  @Field(() => Float)
  residentBytes!: number;
}

@ObjectType('AdapterProblem')
export class AdapterProblemType {
  @Field(() => String)
  code!: string;

  @Field(() => String)
  file!: string;

  @Field(() => String, { nullable: true })
  path!: string | null;

  @Field(() => String)
  found!: string;

  @Field(() => String)
  expected!: string;

  @Field(() => String)
  message!: string;
}

/** `baseModel` and `files` are resolved apart. */
@ObjectType('Adapter')
export class AdapterType {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'Unique in the tenant; the `model` of the OpenAI-compatible endpoint.' })
  slug!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String)
  description!: string;

  @Field(() => AdapterStatusEnum)
  status!: AdapterStatus;

  @Field(() => String, { nullable: true, description: 'Content hash, once both files are there.' })
  sha256!: string | null;

  @Field(() => Float)
  bytes!: number;

  @Field(() => AdapterSummaryType, { nullable: true })
  summary!: AdapterSummaryType | null;

  @Field(() => [AdapterProblemType], { description: 'Why it was refused; empty otherwise.' })
  problems!: AdapterProblemType[];

  @Field(() => Date)
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  lastUsedAt!: Date | null;
}

@ObjectType()
export class AdapterConnection extends connectionOf(AdapterType, 'Adapter') {}

@ObjectType('StorageUse')
export class StorageUseType {
  @Field(() => Float)
  bytesUsed!: number;

  @Field(() => Float)
  bytesMax!: number;
}

@InputType()
export class AdapterFileInput {
  @Field(() => String)
  name!: string;

  @Field(() => Float)
  bytes!: number;
}

@InputType()
export class CreateAdapterInput {
  @Field(() => String, { description: "2–63 of a–z, 0–9, '-', '_', '.'; starts with a letter or digit." })
  slug!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => String, { nullable: true })
  description?: string | null;

  @Field(() => ID)
  baseModelId!: string;

  @Field(() => [AdapterFileInput], { description: 'Sizes of the files to come, for quota and progress.' })
  files!: AdapterFileInput[];
}

@InputType()
export class UpdateAdapterInput {
  @Field(() => ID)
  adapterId!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => String, { nullable: true })
  description?: string | null;
}

@InputType()
export class FinishAdapterUploadInput {
  @Field(() => ID)
  adapterId!: string;
}

@InputType()
export class DeleteAdapterInput {
  @Field(() => ID)
  adapterId!: string;
}

@ObjectType()
export class CreateAdapterPayload {
  @Field(() => AdapterType)
  adapter!: AdapterType;

  @Field(() => String)
  uploadUrl!: string;
}

@ObjectType()
export class FinishAdapterUploadPayload {
  @Field(() => AdapterType)
  adapter!: AdapterType;
}

@ObjectType()
export class UpdateAdapterPayload {
  @Field(() => AdapterType)
  adapter!: AdapterType;
}

@ObjectType()
export class DeleteAdapterPayload {
  @Field(() => ID)
  adapterId!: string;
}
