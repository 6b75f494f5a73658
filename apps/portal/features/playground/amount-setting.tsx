'use client';
import { Group, InputWrapper, NumberInput, Slider } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useId } from 'react';
import type { Settings } from './settings';

export type SettingsForm = UseFormReturnType<Settings>;

interface Props {
  form: SettingsForm;
  field: 'temperature' | 'topP' | 'minP' | 'repetitionPenalty' | 'frequencyPenalty' | 'presencePenalty';
  label: string;
  description: string;
  min?: number;
  max: number;
}

/** A setting between two numbers, by slider or to the hundredth. */
export const AmountSetting = ({ form, field, label, description, min = 0, max }: Props) => {
  const id = useId();
  const value = form.values[field];
  const change = (next: number | string): void => {
    if (typeof next === 'number') form.setFieldValue(field, next);
  };
  return (
    <InputWrapper
      label={label}
      description={description}
      error={form.errors[field]}
      labelProps={{ htmlFor: id }}
    >
      <Group gap="sm" wrap="nowrap" mt={4}>
        <Slider
          flex={1}
          min={min}
          max={max}
          step={0.01}
          value={value}
          onChange={change}
          label={null}
          thumbLabel={`${label} slider`}
        />
        <NumberInput
          id={id}
          w={74}
          size="xs"
          min={min}
          max={max}
          step={0.05}
          decimalScale={2}
          value={value}
          onChange={change}
          clampBehavior="strict"
        />
      </Group>
    </InputWrapper>
  );
};
