import { z } from 'zod';

/** What is worth showing of a config before it is sent. The API judges it; here nothing is refused. */
const previewSchema = z.object({
  base_model_name_or_path: z.string().nullish().catch(null),
  peft_type: z.string().nullish().catch(null),
  r: z.number().nullish().catch(null),
  lora_alpha: z.number().nullish().catch(null),
});
export type ConfigPreview = z.infer<typeof previewSchema>;

export const readConfigPreview = async (file: File): Promise<ConfigPreview | null> => {
  try {
    return previewSchema.parse(JSON.parse(await file.text()));
  } catch {
    // Not JSON, or not an object: the API will say so with the place, the preview just stays away.
    return null;
  }
};

const normal = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The base model the config names ("HuggingFaceTB/SmolLM2-135M-Instruct" or a local path), if it is served. */
export const guessBaseModel = (preview: ConfigPreview | null, ids: readonly string[]): string | null => {
  const named = preview?.base_model_name_or_path?.split(/[/\\]/).findLast((part) => part !== '');
  if (!named) return null;
  return ids.find((id) => normal(id) === normal(named)) ?? null;
};
