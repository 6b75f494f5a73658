import { z } from 'zod';

/**
 * What `inspectAdapter` of sgmv-native says of a PEFT adapter against a base model: what is in it, or every
 * reason it is refused. Each problem names the file, the field or tensor, what was found and what was expected.
 */
export const adapterProblemSchema = z.object({
  /** Stable, e.g. `rank_out_of_range`, `tensor_shape`, `unsupported_field`, `truncated_file`. */
  code: z.string(),
  file: z.string(),
  /** JSON field (`target_modules[2]`) or tensor name; null when the file as a whole is at fault. */
  path: z.string().nullable(),
  found: z.string(),
  expected: z.string(),
  /** One sentence that can be shown to a person. */
  message: z.string(),
});
export type AdapterProblem = z.infer<typeof adapterProblemSchema>;

export const adapterReportSchema = z.object({
  ok: z.boolean(),
  problems: z.array(adapterProblemSchema),
  /** null when the files could not be read far enough. */
  summary: z
    .object({
      rankMin: z.number().int(),
      rankMax: z.number().int(),
      /** e.g. ["q_proj","v_proj"], in the model's order. */
      targetModules: z.array(z.string()),
      layers: z.number().int(),
      parameters: z.number().int(),
      dtype: z.string(),
      rslora: z.boolean(),
      /** Bytes the adapter takes when resident in the engine. */
      residentBytes: z.number().int(),
    })
    .nullable(),
});
export type AdapterReport = z.infer<typeof adapterReportSchema>;
