import { z } from 'zod';
import type { GenerateInput, SamplingInput } from '@/lib/api/generated/graphql';
import { formatCount } from '@/lib/format/quantity';

/** An emptied number field is an empty string: the service's default holds. A union alone would not say what is wrong. */
const optionalNumber = (check: z.ZodNumber) =>
  z.union([z.literal(''), z.number()]).superRefine((value, context) => {
    const problem = value === '' ? undefined : check.safeParse(value).error?.issues[0];
    if (problem) context.addIssue({ code: 'custom', message: problem.message });
  });
const whole = () => z.number().int('A whole number');
const between = (min: number, max: number) =>
  z.number().min(min, `From ${min} to ${max}`).max(max, `From ${min} to ${max}`);

const isJsonObject = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
};

const settingsSchema = z.object({
  system: z.string().max(20_000, 'At most 20,000 characters'),
  temperature: between(0, 2),
  topP: z.number().gt(0, 'Above 0, up to 1').max(1, 'Above 0, up to 1'),
  topK: optionalNumber(whole().min(0, 'At least 0').max(1_000_000, 'At most 1,000,000')),
  maxTokens: optionalNumber(whole().min(1, 'At least 1')),
  stop: z.array(z.string().min(1).max(256, 'At most 256 characters each')).max(8, 'At most 8'),
  minP: between(0, 1),
  repetitionPenalty: z.number().gt(0, 'Above 0, up to 2').max(2, 'Above 0, up to 2'),
  frequencyPenalty: between(-2, 2),
  presencePenalty: between(-2, 2),
  minTokens: optionalNumber(whole().min(0, 'At least 0')),
  seed: optionalNumber(whole().min(0, 'At least 0').max(0xffff_ffff, 'At most 4294967295')),
  jsonSchema: z
    .string()
    .max(65_536, 'At most 65,536 characters')
    .refine(
      (text) => text.trim() === '' || isJsonObject(text),
      'A JSON object, such as { "type": "object" }',
    ),
});

/** With the context as the bound of max tokens, once it is known: of the largest base model, as the target may change. */
export const settingsSchemaFor = (contextTokens: number | null) =>
  contextTokens === null
    ? settingsSchema
    : settingsSchema.extend({
        maxTokens: optionalNumber(
          whole()
            .min(1, 'At least 1')
            .max(contextTokens, `At most ${formatCount(contextTokens)}, the model’s context`),
        ),
      });
export type Settings = z.infer<typeof settingsSchema>;

export const ADVANCED_SETTINGS = [
  'minP',
  'repetitionPenalty',
  'frequencyPenalty',
  'presencePenalty',
  'minTokens',
  'seed',
  'jsonSchema',
] as const satisfies readonly (keyof Settings)[];

export const DEFAULT_SETTINGS: Settings = {
  system: '',
  temperature: 0.7,
  topP: 0.95,
  topK: '',
  maxTokens: 256,
  stop: [],
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  minTokens: '',
  seed: '',
  jsonSchema: '',
};

const SAMPLING = [
  'temperature',
  'topP',
  'topK',
  'maxTokens',
  'minP',
  'repetitionPenalty',
  'frequencyPenalty',
  'presencePenalty',
  'minTokens',
  'seed',
] as const satisfies readonly (keyof Settings & keyof SamplingInput)[];

export const toSampling = (settings: Settings): SamplingInput => {
  const given = SAMPLING.filter((name) => settings[name] !== '').map((name) => [name, settings[name]]);
  return { ...Object.fromEntries(given), ...(settings.stop.length === 0 ? {} : { stop: settings.stop }) };
};

export const toConstraint = ({ jsonSchema }: Settings): Pick<GenerateInput, 'constraint'> =>
  jsonSchema.trim() === '' ? {} : { constraint: { jsonSchema } };
