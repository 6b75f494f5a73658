'use client';
import { ActionIcon, Button, Center, Group, Input, NumberInput, Stack, Text, Tooltip } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { IconEqual, IconPlus, IconTrash } from '@tabler/icons-react';
import { formatShare } from '@/lib/format/quantity';
import { evenly, newVariant, sharesOf, VARIANTS_MAX, WEIGHT_MAX, type DeploymentDraft } from './deployment-draft';
import { Swatch } from './deployment-split';
import { SplitBar } from './split-bar';
import { VariantSelect } from './variant-select';

type Form = UseFormReturnType<DeploymentDraft>;

const VariantRow = ({ form, index, share }: { form: Form; index: number; share: number }) => {
  const { variants, baseModelId } = form.values;
  const { value, error, onChange } = form.getInputProps(`variants.${index}.target`) as {
    value: string;
    error?: string;
    onChange: (target: string) => void;
  };
  const label = `Variant ${index + 1}`;
  return (
    <Group gap="xs" wrap="nowrap" align="flex-start" role="group" aria-label={label}>
      <Center h={36}>
        <Swatch index={index} />
      </Center>
      <VariantSelect
        label={`${label}: target`}
        baseModelId={baseModelId}
        taken={variants.filter((_, other) => other !== index).map(({ target }) => target)}
        {...{ value, error, onChange }}
      />
      <NumberInput
        aria-label={`${label}: weight`}
        min={0}
        max={WEIGHT_MAX}
        clampBehavior="none"
        allowDecimal={false}
        w={92}
        {...form.getInputProps(`variants.${index}.weight`)}
      />
      <Text size="sm" c="dimmed" w={52} visibleFrom="xs" ta="right" mt={7} className="tabular">
        {formatShare(share)}
      </Text>
      <Tooltip label="Remove" withArrow>
        <ActionIcon
          variant="subtle"
          color="red"
          mt={4}
          aria-label={`Remove variant ${index + 1}`}
          disabled={variants.length === 1}
          onClick={() => form.removeListItem('variants', index)}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
};

/** The variants with their weights, and what those come to. */
export const VariantFields = ({ form }: { form: Form }) => {
  const { variants } = form.values;
  const shares = sharesOf(variants);
  return (
    <Input.Wrapper
      label="Variants"
      labelElement="div"
      description="Requests are split by weight. A user stays with a variant when its weight changes or another adapter takes its place."
      error={form.errors['variants']}
    >
      <Stack gap="xs" mt="xs">
        <SplitBar parts={shares} />
        {variants.map((variant, index) => (
          <VariantRow key={variant.id ?? `new ${index}`} form={form} index={index} share={shares[index]?.share ?? 0} />
        ))}
        <Group gap="xs">
          <Button
            variant="default"
            size="xs"
            leftSection={<IconPlus size={14} />}
            disabled={variants.length >= VARIANTS_MAX}
            onClick={() => form.insertListItem('variants', newVariant(0))}
          >
            Add variant
          </Button>
          <Button
            variant="default"
            size="xs"
            leftSection={<IconEqual size={14} />}
            onClick={() => form.setFieldValue('variants', evenly(variants))}
          >
            Split evenly
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
};
