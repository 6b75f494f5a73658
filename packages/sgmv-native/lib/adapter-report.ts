/**
 * Why an adapter is refused. Each problem names the file, the field or tensor, what was found and what was expected.
 */
export interface AdapterProblem {
  /** Stable, e.g. `rank_out_of_range`, `tensor_shape`, `unsupported_field`, `truncated_file`. */
  code: string;
  file: string;
  /** JSON field (`target_modules[2]`) or tensor name; null when the file as a whole is at fault. */
  path: string | null;
  found: string;
  expected: string;
  /** One sentence that can be shown to a person. */
  message: string;
}

export interface AdapterSummary {
  rankMin: number;
  rankMax: number;
  /** e.g. `['q_proj', 'v_proj']`, in the model's order, `embed_tokens` and `lm_head` last. */
  targetModules: string[];
  /** Layers with at least one target. */
  layers: number;
  parameters: number;
  dtype: string;
  rslora: boolean;
  /** Trained magnitudes beside the LoRA matrices. */
  dora: boolean;
  /** Rows of the embedding, or of the head, that are the adapter's own (`trainable_token_indices`). */
  trainedTokens: number;
  /** Of an activated LoRA (aLoRA): it acts from the last place on where these stand in a prompt. Empty: it acts everywhere. */
  invocationTokens: number[];
  /** Bytes the adapter takes when resident in the engine. */
  residentBytes: number;
}

/** What `inspectAdapter` says of a PEFT adapter against a base model. `ok` = no problems. */
export interface AdapterReport {
  ok: boolean;
  problems: AdapterProblem[];
  /** null when the files could not be read far enough. */
  summary: AdapterSummary | null;
}
