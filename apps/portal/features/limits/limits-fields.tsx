'use client';
import { NumberInput, SimpleGrid } from '@mantine/core';
import type { GetInputPropsReturnType } from '@mantine/form';
import type { LimitsQuery } from '@/lib/api/generated/graphql';
import { formatNanoUsd } from '@/lib/format/money';
import { formatCount } from '@/lib/format/quantity';
import type { LimitValues } from './limit-values';

export type Ceilings = LimitsQuery['tenant']['limitCeilings'];

interface Props {
  inputProps: (field: keyof LimitValues) => GetInputPropsReturnType;
  /** What the operator allows a workspace; keys need none, because the workspace's limits hold for them too. */
  ceilings?: Ceilings | undefined;
}

const COUNTS = [
  { field: 'requestsPerMinute', label: 'Requests per minute' },
  { field: 'tokensPerMinute', label: 'Tokens per minute' },
  { field: 'parallelRequests', label: 'Requests at once' },
] as const;

/** Hints go below, so that the inputs of a row stand in line. */
const NUMBER = {
  min: 0,
  allowNegative: false,
  thousandSeparator: ',',
  inputWrapperOrder: ['label', 'input', 'error', 'description'] as ('label' | 'input' | 'error' | 'description')[],
};
const DOLLARS = { ...NUMBER, prefix: '$', decimalScale: 9, hideControls: true };

const atMost = (ceiling: string | null | undefined): string => (ceiling ? `At most ${ceiling}` : '');

export const LimitsFields = ({ inputProps, ceilings }: Props) => (
  <>
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
      {COUNTS.map(({ field, label }) => {
        const ceiling = ceilings?.[field];
        return (
          <NumberInput
            key={field}
            {...NUMBER}
            label={label}
            description={atMost(ceiling == null ? null : formatCount(ceiling)) || undefined}
            placeholder="No limit"
            min={1}
            allowDecimal={false}
            {...inputProps(field)}
          />
        );
      })}
    </SimpleGrid>
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
      <NumberInput
        {...DOLLARS}
        label="Warn from"
        description="Per calendar month"
        placeholder="No warning"
        {...inputProps('budgetSoft')}
      />
      <NumberInput
        {...DOLLARS}
        label="Hard budget"
        description={atMost(ceilings?.budgetHard && formatNanoUsd(ceilings.budgetHard)) || 'Never exceeded'}
        placeholder="No budget"
        {...inputProps('budgetHard')}
      />
    </SimpleGrid>
  </>
);
