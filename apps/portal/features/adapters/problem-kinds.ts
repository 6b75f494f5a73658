/** What each kind of refusal is called, and what to do about it. Codes are the engine's (`inspectAdapter`), and the import's. */
export interface ProblemKind {
  title: string;
  advice: string;
}

const SAVE_AGAIN = 'Save the adapter again with PEFT’s save_pretrained() and upload the whole file.';
const SAME_RUN = 'Check that both files come from the same training run, and that it ran on this base model.';
const PLAIN_LORA = 'Train again without this option. Plain LoRA and rsLoRA are served.';
const TARGETS = 'Target attention and MLP projections: q, k, v, o, gate, up, down.';
const CORRECT = 'Correct the field in adapter_config.json and upload again.';

const KINDS: Record<string, ProblemKind> = {
  missing_file: { title: 'A file is missing', advice: 'Upload both files that save_pretrained() writes.' },
  unreadable_file: { title: 'The file cannot be read', advice: SAVE_AGAIN },
  truncated_file: { title: 'The file is cut short', advice: SAVE_AGAIN },
  bad_json: { title: 'The file is not valid JSON', advice: SAVE_AGAIN },
  bad_header: { title: 'The file is not a safetensors file', advice: SAVE_AGAIN },
  bad_offsets: { title: 'The file contradicts itself', advice: SAVE_AGAIN },
  duplicate_tensor: { title: 'A tensor is there twice', advice: SAVE_AGAIN },
  not_finite: {
    title: 'A tensor holds NaN or infinity',
    advice: 'The training diverged; go back to an earlier checkpoint.',
  },
  out_of_range: {
    title: 'A tensor holds a huge number',
    advice: 'No trained adapter has such weights; the training diverged, or the file was converted wrongly.',
  },
  bad_type: { title: 'A field has the wrong type', advice: CORRECT },
  missing_field: { title: 'A field is missing', advice: CORRECT },
  unknown_field: { title: 'A field is not known', advice: PLAIN_LORA },
  conflicting_fields: { title: 'Fields contradict each other', advice: CORRECT },
  list_too_long: { title: 'A list is too long', advice: CORRECT },
  rank_out_of_range: { title: 'The rank is out of range', advice: 'Train with a rank from 1 to 256.' },
  alpha_out_of_range: { title: 'Alpha is out of range', advice: CORRECT },
  layer_out_of_range: { title: 'The base model has no such layer', advice: SAME_RUN },
  no_targets: { title: 'The adapter changes nothing', advice: TARGETS },
  unknown_target: { title: 'A target is not part of the base model', advice: TARGETS },
  unsupported_target: { title: 'A target is not served', advice: TARGETS },
  unsupported_field: { title: 'An option is not served', advice: PLAIN_LORA },
  unsupported_pattern: { title: 'A pattern is not served', advice: CORRECT },
  unsupported_peft_type: { title: 'This kind of adapter is not served', advice: PLAIN_LORA },
  unsupported_tensor: { title: 'A tensor is not served', advice: PLAIN_LORA },
  tensor_shape: { title: 'A tensor has the wrong shape', advice: SAME_RUN },
  tensor_missing: { title: 'A tensor is missing', advice: SAME_RUN },
  tensor_unexpected: { title: 'A tensor belongs to nothing', advice: SAME_RUN },
  tensor_dtype: {
    title: 'A tensor’s type is not served',
    advice: 'Save the adapter in float16, bfloat16 or float32.',
  },
};

const ANOTHER_TOKEN = 'Check the token on the hub, and import again with one that may read the repository.';
const LATER = 'Import it again later.';

/** Why an import brought nothing. */
const IMPORT_KINDS: Record<string, ProblemKind> = {
  hub_repository_not_found: { title: 'The repository was not found', advice: 'Check its name. A private one needs a token.' },
  hub_revision_not_found: { title: 'The revision was not found', advice: 'Name a branch, tag or commit of the repository.' },
  hub_token_refused: { title: 'The token is not valid', advice: ANOTHER_TOKEN },
  hub_access_refused: { title: 'The repository may not be read', advice: ANOTHER_TOKEN },
  hub_file_missing: { title: 'A file is missing', advice: 'Push both files that save_pretrained() writes, or name the folder they are in.' },
  hub_pickle: { title: 'The weights are a pickle', advice: 'Load the adapter with PEFT, save it again, and push adapter_model.safetensors.' },
  hub_empty_file: { title: 'A file is empty', advice: 'Push the file again.' },
  hub_file_too_large: { title: 'The config is too large', advice: 'Check that it is PEFT’s adapter_config.json.' },
  hub_address_refused: { title: 'The hub redirects to where it may not', advice: 'Upload the files instead, or tell whoever runs this installation.' },
  hub_answer_unknown: { title: 'The hub’s answer was not understood', advice: 'Upload the files instead, or tell whoever runs this installation.' },
  hub_unreachable: { title: 'The hub did not answer', advice: LATER },
  import_interrupted: { title: 'The import was interrupted', advice: LATER },
  payload_too_large: { title: 'The adapter is too large', advice: 'Train with a lower rank or fewer targets, or save in half precision.' },
  quota_exceeded: { title: 'The workspace has no room for it', advice: 'Delete adapters that are not used any more.' },
};

/** Whether the files were never judged, because they could not be had. */
export const isFailedImport = (problems: readonly { code: string }[]): boolean =>
  problems.length > 0 && problems.every(({ code }) => code.toLowerCase() in IMPORT_KINDS);

/** The sentence of a problem whose kind is newer than this portal serves as its title. */
export const kindOf = ({ code, message }: { code: string; message: string }): ProblemKind =>
  KINDS[code.toLowerCase()] ??
  IMPORT_KINDS[code.toLowerCase()] ?? {
    title: message,
    advice: 'Compare the file with what is expected, correct it, and upload again.',
  };

export interface ProblemGroup<P> {
  kind: ProblemKind;
  first: P[];
  more: number;
}

/** One cause shows in every layer: of problems of one kind the first few say it. */
export const groupProblems = <P extends { code: string; message: string; file: string }>(
  problems: readonly P[],
  shownMax: number,
): ProblemGroup<P>[] => {
  const groups = new Map<string, P[]>();
  for (const problem of problems) {
    const key = `${problem.code} ${problem.file}`;
    groups.set(key, [...(groups.get(key) ?? []), problem]);
  }
  return [...groups.values()].flatMap((group) =>
    group[0]
      ? [
          {
            kind: kindOf(group[0]),
            first: group.slice(0, shownMax),
            more: Math.max(0, group.length - shownMax),
          },
        ]
      : [],
  );
};
