import { z } from 'zod';
import type { SamplingInput } from '@/lib/api/generated/graphql';

/** An emptied number field is an empty string: the service's default holds. */
const optionalNumber = (check: z.ZodNumber) => z.union([z.literal(''), check]);

export const settingsSchema = z.object({
  system: z.string().max(20_000, 'At most 20,000 characters'),
  temperature: z.number().min(0, 'From 0 to 2').max(2, 'From 0 to 2'),
  topP: z.number().gt(0, 'Above 0, up to 1').max(1, 'Above 0, up to 1'),
  topK: optionalNumber(
    z.number().int('A whole number').min(0, 'At least 0').max(1_000_000, 'At most 1,000,000'),
  ),
  minP: z.number().min(0, 'From 0 to 1').max(1, 'From 0 to 1'),
  maxTokens: optionalNumber(z.number().int('A whole number').min(1, 'At least 1')),
  seed: optionalNumber(
    z.number().int('A whole number').min(0, 'At least 0').max(0xffff_ffff, 'At most 4294967295'),
  ),
  stop: z.array(z.string().min(1).max(256, 'At most 256 characters each')).max(8, 'At most 8'),
});
export type Settings = z.infer<typeof settingsSchema>;

export const DEFAULT_SETTINGS: Settings = {
  system: '',
  temperature: 0.7,
  topP: 0.95,
  topK: '',
  minP: 0,
  maxTokens: 256,
  seed: '',
  stop: [],
};

export const toSampling = ({
  temperature,
  topP,
  topK,
  minP,
  maxTokens,
  seed,
  stop,
}: Settings): SamplingInput => ({
  temperature,
  topP,
  minP,
  ...(topK === '' ? {} : { topK }),
  ...(maxTokens === '' ? {} : { maxTokens }),
  ...(seed === '' ? {} : { seed }),
  ...(stop.length === 0 ? {} : { stop }),
});
