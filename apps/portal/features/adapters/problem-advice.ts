/**
 * What to do about a refusal, by what its code speaks of. Codes grow with the checks behind them, so words are
 * matched rather than whole codes, the more telling ones first.
 */
const ADVICE: [RegExp, string][] = [
  [
    /trunc|short|incomplete|size_mismatch/,
    'The file is incomplete. Save the adapter again and upload the whole file.',
  ],
  [
    /json|parse|syntax|header|magic|utf/,
    'The file is damaged or of another kind. Save the adapter again with PEFT’s save_pretrained().',
  ],
  [/missing_file|file_missing|not_found/, 'Upload both files that PEFT’s save_pretrained() writes.'],
  [
    /shape|layer|base_model|model_mismatch/,
    'The adapter was probably trained on another base model. Choose that one, or train on this one.',
  ],
  [/rank/, 'Train with a rank the service takes, or check rank_pattern for a typing error.'],
  [/nan|inf|finite|value/, 'The training diverged. Go back to an earlier checkpoint.'],
  [/dtype/, 'Save the adapter in float16, bfloat16 or float32.'],
  [
    /unsupported|dora|bias|modules_to_save|peft_type/,
    'Train again without this option; plain LoRA and rsLoRA are served.',
  ],
  [/target|module/, 'Target only attention and MLP projections: q, k, v, o, gate, up, down.'],
  [
    /missing|pair|unexpected|extra|unknown/,
    'The file does not match its config. Upload the two files of one and the same training run.',
  ],
];

const FALLBACK = 'Compare the file with what is expected, correct it, and upload again.';

export const adviceFor = (code: string): string =>
  ADVICE.find(([pattern]) => pattern.test(code.toLowerCase()))?.[1] ?? FALLBACK;
