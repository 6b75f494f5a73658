import { Field, InputType, ObjectType, OmitType } from '@nestjs/graphql';
import { AdapterType, CreateAdapterInput } from '../adapter.types.js';

@ObjectType('AdapterSource', { description: "What an adapter was, or is being, imported from. While the adapter is UPLOADING, the import is under way; what it brought of which file is in the adapter's `files`, once their sizes are known. An import that fails makes it REFUSED." })
export class AdapterSourceType {
  @Field(() => String)
  repository!: string;

  @Field(() => String, { description: 'The branch, tag or commit that was asked for.' })
  revision!: string;

  @Field(() => String, { description: 'A folder of the repository; empty: its top.' })
  path!: string;

  @Field(() => String, { nullable: true, description: 'What the revision was when the import began: the files are of this commit.' })
  commit!: string | null;
}

@InputType()
export class AdapterSourceInput {
  @Field(() => String, { description: 'organization/name, at the hub that `hubUrl` names.' })
  repository!: string;

  @Field(() => String, { nullable: true, description: 'A branch, a tag or a commit; `main` if left out.' })
  revision?: string | null;

  @Field(() => String, { nullable: true, description: 'The folder of the repository that holds the adapter; its top if left out.' })
  path?: string | null;
}

@InputType()
export class ImportAdapterInput extends OmitType(CreateAdapterInput, ['files']) {
  @Field(() => AdapterSourceInput)
  source!: AdapterSourceInput;

  @Field(() => String, { nullable: true, description: 'For private and gated repositories. Used for this import only, and forgotten with its end.' })
  token?: string | null;
}

@ObjectType()
export class ImportAdapterPayload {
  @Field(() => AdapterType)
  adapter!: AdapterType;
}
