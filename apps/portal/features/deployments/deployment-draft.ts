import { z } from 'zod';
import { SLUG_PATTERN, SLUG_RULE } from '@/features/upload/slug';
import type { DeploymentFieldsFragment, DeploymentVariantInput } from '@/lib/api/generated/graphql';

export const VARIANTS_MAX = 16;
export const WEIGHT_MAX = 1000;

const WEIGHT = `A whole number from 0 to ${WEIGHT_MAX}`;

export const draftSchema = z.object({
  slug: z.string().regex(SLUG_PATTERN, `Expected ${SLUG_RULE}`),
  name: z.string().trim().max(120, 'At most 120 characters'),
  description: z.string().trim().max(2000, 'At most 2000 characters'),
  baseModelId: z.string().min(1, 'Choose the base model of all variants'),
  variants: z
    .array(
      z.object({
        id: z.string().nullable(),
        target: z.string().min(1, 'Choose what answers'),
        weight: z.union([z.literal(''), z.number()]).superRefine((weight, context) => {
          const fits = typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 && weight <= WEIGHT_MAX;
          if (!fits) context.addIssue({ code: 'custom', message: WEIGHT });
        }),
      }),
    )
    .refine((variants) => variants.some(({ weight }) => Number(weight) > 0), 'One of the weights must be above 0'),
});
export type DeploymentDraft = z.infer<typeof draftSchema>;
export type VariantDraft = DeploymentDraft['variants'][number];

/** Whether an error that names a field of the API's input can be shown at one of the form's. */
export const isDraftField = (field: string): boolean =>
  /^(slug|name|description|baseModelId|variants(\.\d+\.(target|weight))?)$/.test(field);

export const newVariant = (weight: number): VariantDraft => ({ id: null, target: '', weight });

export const draftOf = (deployment: DeploymentFieldsFragment | undefined): DeploymentDraft =>
  deployment
    ? {
        slug: deployment.slug,
        name: deployment.name,
        description: deployment.description,
        baseModelId: deployment.baseModel.id,
        variants: deployment.variants.map(({ id, target, weight }) => ({ id, target, weight })),
      }
    : { slug: '', name: '', description: '', baseModelId: '', variants: [newVariant(50), newVariant(50)] };

/** What the weights come to, while they are typed. */
export const sharesOf = (variants: readonly VariantDraft[]): { target: string; share: number }[] => {
  const weights = variants.map(({ weight }) => Math.max(0, Number(weight) || 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return variants.map(({ target }, index) => ({ target, share: total === 0 ? 0 : (weights[index] ?? 0) / total }));
};

/** Weights that split as evenly as whole numbers can, a hundred in all. */
export const evenly = (variants: readonly VariantDraft[]): VariantDraft[] =>
  variants.map((variant, index) => {
    const [each, left] = [Math.floor(100 / variants.length), 100 % variants.length];
    return { ...variant, weight: each + (index < left ? 1 : 0) };
  });

export const toVariantInputs = (variants: readonly VariantDraft[]): DeploymentVariantInput[] =>
  variants.map(({ id, target, weight }) => ({ ...(id ? { id } : {}), target, weight: Number(weight) }));
