import { expect, it } from 'vitest';
import { guessBaseModel, readConfigPreview } from '@/features/upload/config-preview';

const config = (text: string): File => new File([text], 'adapter_config.json');
const IDS = ['smollm2-135m-instruct', 'llama-3.2-1b'];

it('finds the served base model by the last part of a hub name or a path', async () => {
  const preview = await readConfigPreview(
    config('{"base_model_name_or_path":"HuggingFaceTB/SmolLM2-135M-Instruct","r":8}'),
  );
  expect(guessBaseModel(preview, IDS)).toBe('smollm2-135m-instruct');
  expect(preview?.r).toBe(8);
  const windows = await readConfigPreview(
    config(String.raw`{"base_model_name_or_path":"C:\\models\\llama-3.2-1B\\"}`),
  );
  expect(guessBaseModel(windows, IDS)).toBe('llama-3.2-1b');
});

it('guesses nothing from another model, odd types or no JSON', async () => {
  expect(
    guessBaseModel(await readConfigPreview(config('{"base_model_name_or_path":"gpt2"}')), IDS),
  ).toBeNull();
  expect(
    guessBaseModel(await readConfigPreview(config('{"base_model_name_or_path":7,"r":"x"}')), IDS),
  ).toBeNull();
  expect(await readConfigPreview(config('{'))).toBeNull();
});
