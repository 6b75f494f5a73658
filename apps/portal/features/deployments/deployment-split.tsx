import { ColorSwatch, Group, Stack, Text } from '@mantine/core';
import type { DeploymentFieldsFragment } from '@/lib/api/generated/graphql';
import { formatShare } from '@/lib/format/quantity';
import { formatDateTime } from '@/lib/format/time';
import { Section } from '@/ui/section';
import { TextLink } from '@/ui/text-link';
import { SplitBar } from './split-bar';
import { variantColor } from './variant-colors';

type Variant = DeploymentFieldsFragment['variants'][number];

export const Swatch = ({ index }: { index: number }) => (
  <ColorSwatch
    color={`var(--mantine-color-${variantColor(index).replace('.', '-')})`}
    size={12}
    withShadow={false}
    style={{ flexShrink: 0 }}
    aria-hidden
  />
);

export const VariantName = ({ target, adapterId }: { target: string; adapterId: string | null }) =>
  adapterId ? (
    <TextLink href={`/adapters/${adapterId}`} size="sm" style={{ overflowWrap: 'anywhere' }}>
      {target}
    </TextLink>
  ) : (
    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
      {target}
    </Text>
  );

const VariantLine = ({ variant, index }: { variant: Variant; index: number }) => (
  <Group component="li" justify="space-between" wrap="nowrap" gap="sm">
    <Group gap={8} wrap="nowrap" miw={0}>
      <Swatch index={index} />
      <VariantName target={variant.target} adapterId={variant.adapter?.id ?? null} />
    </Group>
    <Text size="sm" c="dimmed" className="tabular" style={{ flexShrink: 0 }}>
      {formatShare(variant.share)} · weight {variant.weight}
    </Text>
  </Group>
);

/** How its requests are split now. */
export const DeploymentSplit = ({ deployment }: { deployment: DeploymentFieldsFragment }) => (
  <Section
    title="Split"
    description={`On ${deployment.baseModel.name}; changed ${formatDateTime(deployment.updatedAt)}`}
  >
    <SplitBar parts={deployment.variants} />
    <Stack component="ul" m={0} mt="md" p={0} gap="xs" style={{ listStyle: 'none' }} aria-label="Variants">
      {deployment.variants.map((variant, index) => (
        <VariantLine key={variant.id} variant={variant} index={index} />
      ))}
    </Stack>
  </Section>
);
